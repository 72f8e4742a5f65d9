"""Own what a supervisor of workers reports, beyond the events of the core, and how it is told to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

from nbflow.core.events import Returned, TryFailed
from nbflow.core.ids import ExecutorId, SlotId, TaskId, TryId

__all__ = ["Exit", "Happening", "Post", "Printed", "SlotDown", "SlotUp", "Try"]

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
