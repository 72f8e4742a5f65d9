"""Own the states of a task and the causes of a failed try."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import final

__all__ = ["DEATHS", "FINAL", "REOPENABLE", "Cause", "State"]


@final
class State(IntEnum):
    """Name where a task stands. An IntEnum, because a state is a table index on the hot path.

    From DONE on nothing happens to a task by itself. HELD is the one of these that is not final.
    """

    NEW = 0
    WAITING = 1
    READY = 2
    STAGING_IN = 3
    QUEUED = 4
    RUNNING = 5
    STAGING_OUT = 6
    JOINING = 7
    BACKOFF = 8
    PAUSED = 9
    DONE = 10
    FAILED = 11
    UPSTREAM_FAILED = 12
    CANCELLED = 13
    HELD = 14

    @property
    def is_final(self) -> bool:
        """Tell whether the task has come to its end, and its future to an outcome."""
        return State.DONE <= self < State.HELD


FINAL = frozenset(state for state in State if state.is_final)
REOPENABLE = FINAL - {State.DONE} | {State.HELD}
"""States out of which a retry leads: nothing goes on in them by itself."""


@final
class Cause(StrEnum):
    """Name why a try did not return."""

    RAISED = "raised"
    """The user's code raised."""
    LOST = "lost"
    """The process that ran it died or fell silent."""
    TIMEOUT = "timeout"
    """Its own walltime ended."""
    OOM = "oom"
    """The system killed it for want of memory."""
    EXPIRED = "expired"
    """Its block was ended from outside (walltime, cancelled, preempted, a broken node): not its fault."""
    RECALLED = "recalled"
    """Taken back before it started, to run elsewhere: not its fault."""
    STAGING = "staging"
    """A file could not be brought where it was needed."""


DEATHS = frozenset((Cause.LOST, Cause.OOM))
"""Causes that end a worker with all that it has in hand: whose fault it was shows when each is sent alone."""
