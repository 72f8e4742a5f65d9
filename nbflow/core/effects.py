"""Own everything the core can ask of its shell. An effect says what must be done; the shell does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nbflow.core.ids import TryId
from nbflow.core.task import Task

__all__ = [
    "Drop",
    "Effect",
    "Enqueue",
    "LookUp",
    "Reject",
    "Remember",
    "Reopen",
    "Resolve",
    "StageIn",
    "StageOut",
    "WakeLater",
    "Withdraw",
]


@final
@dataclass(slots=True)
class LookUp:
    """Ask the memo store for the result of an equal call."""

    task: Task


@final
@dataclass(slots=True)
class StageIn:
    """Bring the input files."""

    task: Task


@final
@dataclass(slots=True)
class StageOut:
    """Bring the output files home."""

    task: Task


@final
@dataclass(slots=True)
class Enqueue:
    """Let placement find a slot."""

    task: Task


@final
@dataclass(slots=True)
class Drop:
    """Take this try out of the queue or off its slot; whatever it still reports is ignored."""

    task: Task
    try_id: TryId


@final
@dataclass(slots=True)
class WakeLater:
    """Send `RetryDue` after `delay` seconds."""

    task: Task
    delay: float


@final
@dataclass(slots=True)
class Remember:
    """Put the result into the memo store."""

    task: Task


@final
@dataclass(slots=True)
class Resolve:
    """Give the future `task.value`."""

    task: Task


@final
@dataclass(slots=True)
class Reject:
    """Give the future `task.failure`."""

    task: Task


@final
@dataclass(slots=True)
class Withdraw:
    """Mark the future as cancelled."""

    task: Task


@final
@dataclass(slots=True)
class Reopen:
    """Make the future pending again."""

    task: Task


Effect = (
    LookUp | StageIn | StageOut | Enqueue | Drop | WakeLater | Remember | Resolve | Reject | Withdraw | Reopen
)
