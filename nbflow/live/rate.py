"""Own how fast a run goes and when it will end. Pure: the times are passed in."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import final

from nbflow.core.durations import in_words

__all__ = ["Estimate", "Rate"]

WINDOW_SECONDS = 20.0
FEWEST_TASKS = 5


@final
@dataclass(frozen=True, slots=True)
class Estimate:
    """Say how many seconds are left, between which bounds."""

    seconds: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"about {in_words(self.seconds)} left"


@final
class Rate:
    """Keep the tasks a second over the last 20 seconds of work."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, time: float, finished: int) -> None:
        """Note that `finished` tasks were final at `time` (seconds); fewer than before mean a retry."""
        seen = self._seen
        if seen and finished < seen[-1][1]:
            seen.clear()
        seen.append((time, finished))
        while len(seen) > 2 and seen[1][0] <= time - WINDOW_SECONDS:
            seen.popleft()

    def per_second(self) -> float | None:
        """Give the moving rate, or None while nothing has finished."""
        if not self._seen:
            return None
        (start, before), (end, now) = self._seen[0], self._seen[-1]
        return (now - before) / (end - start) if end > start and now > before else None

    def estimate(self, left: int) -> Estimate | None:
        """Give the time that `left` tasks need at this rate, or None while it would be a guess.

        Finished tasks are taken as a Poisson process: n of them give the rate to within 1/sqrt(n), and the
        bounds are two of those wide.
        """
        rate = self.per_second()
        if rate is None or left <= 0:
            return None
        counted = self._seen[-1][1] - self._seen[0][1]
        if counted < FEWEST_TASKS:
            return None
        slack = min(0.9, 2 / math.sqrt(counted))
        seconds = left / rate
        return Estimate(seconds, seconds / (1 + slack), seconds / (1 - slack))
