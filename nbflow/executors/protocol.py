"""Own the interface between the dataflow kernel and whatever runs bundles of calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, final

from nbflow.core.events import Returned, TryFailed
from nbflow.core.ids import ExecutorId, SlotId, TaskId, TryId
from nbflow.core.placement import Capacity
from nbflow.wire.messages import Call

__all__ = ["Executor", "Exit", "Happening", "Post", "Printed", "SlotDown", "SlotUp", "Try"]

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
    """A slot is there: a worker process started, or was replaced."""

    executor: ExecutorId
    slot: SlotId


@final
@dataclass(slots=True)
class SlotDown:
    """A slot is gone. A `TryFailed` for each try that it had in hand is posted before this."""

    slot: SlotId
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


Happening = Returned | TryFailed | Printed | SlotUp | SlotDown
Post = Callable[[Sequence[Happening]], None]
"""Hand happenings to the dataflow kernel, in order; callable from any thread, never blocks."""


class Executor(Protocol):
    """Run bundles of calls somewhere; know nothing of a graph.

    `is_remote` tells whether calls leave this process, so that functions and arguments have to be picklable.
    """

    label: ExecutorId
    is_remote: bool

    def start(self, post: Post) -> Capacity:
        """Get ready and return the slots that are there; more may come as `SlotUp`.

        Raises ConfigError when it cannot work here.
        """

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has; each ends in one Returned or TryFailed. Never blocks."""

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries, running or not, even in C code where processes are used; nothing is reported for them.

        Calls that shared a stopped process come back as TryFailed(RECALLED) if they had not started. Unknown tries are
        passed over.
        """

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started, each as TryFailed(RECALLED)."""

    def close(self, how: Exit) -> None:
        """End all processes and threads of this executor and wait for them. May be called twice."""
