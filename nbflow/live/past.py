"""Own the run as it stood at a moment, made anew from its journal, for people who go back in time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import final

from nbflow.journal.follower import Follower
from nbflow.live.model import RunModel

__all__ = ["Past"]


@final
class Past:
    """Hold what a journal says, and tell of any moment. Going on is cheap, going back begins anew."""

    def __init__(self, address: Path | str) -> None:
        """Read the journal; raise JournalError when that cannot be."""
        with Follower(address) as follower:
            self._news = follower.news()
        self._task_times = list(accumulate((row.time for row in self._news.tasks), max))
        self._change_times = list(accumulate((change.time for change in self._news.changes), max))
        times = self._task_times[:1] + self._task_times[-1:] + self._change_times[-1:]
        self.began, self.ended = min(times, default=0.0), max(times, default=0.0)
        self._model = RunModel()
        self._tasks = self._changes = 0

    def at(self, moment: float) -> RunModel:
        """Return the run as of `moment`, in seconds since the epoch; the next call changes it."""
        tasks = bisect_right(self._task_times, moment)
        changes = bisect_right(self._change_times, moment)
        if tasks < self._tasks or changes < self._changes:
            self._model = RunModel()
            self._tasks = self._changes = 0
        self._model.take(
            replace(
                self._news,
                edges=[],
                usage=[],
                files=[] if self._tasks else self._news.files,
                tasks=self._news.tasks[self._tasks : tasks],
                changes=self._news.changes[self._changes : changes],
            )
        )
        self._tasks, self._changes = tasks, changes
        return self._model
