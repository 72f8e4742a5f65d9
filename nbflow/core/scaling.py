"""Own how many blocks an executor should have: a pure decision from what is wanted and what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nbflow.core.task import Resources

__all__ = ["Outlook", "Queued"]


@final
@dataclass(frozen=True, slots=True)
class Queued:
    """Sum up the queued tasks that need the same: how many, their expected seconds of work, the longest.

    Both times are of the tasks whose run time can be told, and `unknown` counts the others.
    """

    need: Resources
    tasks: int
    seconds: float = 0.0
    longest: float = 0.0
    unknown: int = 0


@final
@dataclass(frozen=True, slots=True)
class Outlook:
    """Say what one executor could have to do: what is queued and may run there, how many slots are at work.

    `since` is the monotonic time at which the last of it ended, or None while there is something.
    """

    queued: tuple[Queued, ...] = ()
    running: int = 0
    since: float | None = None
