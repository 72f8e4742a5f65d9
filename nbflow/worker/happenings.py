"""Own what a supervisor of workers reports, beyond the events of the core, and how it is told to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

from nbflow.core.events import Returned, TryFailed
from nbflow.core.ids import ExecutorId, NodeId, SlotId, TaskId, TryId
from nbflow.core.task import Resources

__all__ = [
    "Exit",
    "Happening",
    "Held",
    "NodeDown",
    "NodeDraining",
    "NodeUp",
    "Post",
    "Printed",
    "Receipt",
    "Recovered",
    "SlotDown",
    "SlotUp",
    "Try",
    "Used",
]

Try = tuple[TaskId, TryId]


@final
class Exit(Enum):
    """Name how an executor ends."""

    FINISH = "finish"
    """Let calls in hand end first."""
    STOP = "stop"
    """Stop calls in hand, now."""


@final
@dataclass(slots=True)
class SlotUp:
    """A slot is there: a worker process started, or was replaced. `node` is None where there is only one.

    One of a node that is not known (it went down meanwhile) is passed over.
    """

    executor: ExecutorId
    slot: SlotId
    node: NodeId | None = None


@final
@dataclass(slots=True)
class SlotDown:
    """A slot is gone. A `TryFailed` for each try that it had in hand is posted before this."""

    slot: SlotId
    reason: str


@final
@dataclass(slots=True, kw_only=True)
class NodeUp:
    """A node is there: a pilot registered, with its first slots and what they share.

    `until` is the monotonic time, of this process, at which the walltime of its block ends (None: never).
    """

    executor: ExecutorId
    node: NodeId
    block: str
    slots: tuple[SlotId, ...]
    total: Resources
    until: float | None = None


@final
@dataclass(slots=True)
class NodeDraining:
    """A node takes no more; what it has in hand goes on."""

    executor: ExecutorId
    node: NodeId


@final
@dataclass(slots=True)
class NodeDown:
    """A node is gone, with its slots. A `TryFailed` for each try in its hand is posted before this."""

    executor: ExecutorId
    node: NodeId
    reason: str


@final
@dataclass(slots=True)
class Printed:
    """A try wrote something: `text` is what was kept of it, `nbytes` how much it was in all."""

    task: TaskId
    try_id: TryId
    stream: str  # "stdout" or "stderr"
    text: str
    nbytes: int


@final
@dataclass(slots=True)
class Used:
    """A try used so much: processor time, and the most memory that was held (None: not known)."""

    task: TaskId
    try_id: TryId
    cpu_seconds: float
    nbytes: int | None


@final
@dataclass(frozen=True, slots=True)
class Held:
    """Name a slot of a run that a former process led: its calls run on, or their results wait there."""

    run: str
    slot: SlotId


@final
@dataclass(slots=True)
class Recovered:
    """A node is back that worked for a former process; it is announced by a NodeUp before this."""

    executor: ExecutorId
    node: NodeId
    held: tuple[Held, ...]


@final
@dataclass(slots=True)
class Receipt:
    """Be signed, from any thread, once everything that was posted before it is on disk.

    Until then whoever sent it keeps it, for the case that this process dies.
    """

    sign: Callable[[], object]


Happening = (
    Returned
    | TryFailed
    | Printed
    | Used
    | SlotUp
    | SlotDown
    | NodeUp
    | NodeDraining
    | NodeDown
    | Recovered
    | Receipt
)
Post = Callable[[Sequence[Happening]], None]
"""Hand happenings to the dataflow kernel, in order; callable from any thread, never blocks."""
