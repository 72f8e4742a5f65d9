"""Own what the placement decides: these tasks, now, to that slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.task import Grant, Task

__all__ = ["Assignment"]


@final
@dataclass(frozen=True, slots=True)
class Assignment:
    """Send these tasks to this slot, in this order.

    `grant` names what a single task has for itself, when it needs more than a core, or a worker; `why` says
    what there was to choose from, when there was a choice among executors.
    """

    executor: ExecutorId
    slot: SlotId
    tasks: list[Task]
    grant: Grant | None = None
    why: str | None = None
