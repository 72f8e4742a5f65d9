"""Own what the loop has to do later."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import final

from nbflow.core.events import RetryDue

__all__ = ["Timers"]


@final
class Timers:
    """Keep events until they are due; times are monotonic seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, RetryDue]] = []
        self._tie = count()

    def add(self, due: float, event: RetryDue) -> None:
        """Keep `event` until `due`."""
        heappush(self._heap, (due, next(self._tie), event))

    def take(self, now: float) -> list[RetryDue]:
        """Return the events that are due, earliest first."""
        due: list[RetryDue] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[2])
        return due

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next event is due, or None when there is none."""
        return max(0.0, self._heap[0][0] - now) if self._heap else None
