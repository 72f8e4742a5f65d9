"""Own what is measured of a process's calls: their processor time, and the most memory that they held."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from nbflow.wire.outcome import Usage

__all__ = ["SHORTEST_SECONDS", "Meter"]

SHORTEST_SECONDS: Final = 0.02
"""Calls that are shorter are not measured: it would be a good part of what they cost."""

_UNIT = 1 if sys.platform == "darwin" else 1024
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@final
class Meter:
    """Measure one call after the other. Not for calls side by side: they share what a process uses."""

    def __init__(self) -> None:
        self._children = _children_seconds()
        self._largest_child = _largest_child()

    def begin(self) -> float:
        """Give what `end` wants to be given."""
        return time.process_time()

    def end(self, began: float, seconds: float) -> Usage | None:
        """Return what a call of so many seconds used, with the processes that it started and waited for."""
        if seconds < SHORTEST_SECONDS:
            return None
        children, before = _children_seconds(), self._children
        self._children = children
        used = time.process_time() - began + children - before
        return used, self._peak(had_children=children > before)

    def _peak(self, *, had_children: bool) -> int | None:
        """Return the most that this process held since the last time, or the largest that it started.

        A process that it started is seen when it was the largest so far; where that hides it, None.
        """
        largest, before = _largest_child(), self._largest_child
        self._largest_child = largest
        own = _own_peak()
        if not had_children or own is None:
            return own
        return max(own, largest) if largest > before else None


def _own_peak() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        text = _STATUS.read_text()
        _CLEAR.write_text("5")  # from here on the peak is another one
        return int(text.split("VmHWM:")[1].split()[0]) * 1024
    return None


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _largest_child() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT
