"""Own what a whole screen about a run says: counts, each app, what runs now, the newest failures.

It reads the journal and draws nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from nbflow.core.states import State
from nbflow.journal.follower import Follower
from nbflow.journal.reader import open_run
from nbflow.journal.runs import RunInfo, RunStatus
from nbflow.live.headline import Headline, Tally
from nbflow.live.model import Changes, RunModel, Summary

__all__ = ["AppLine", "Board", "BoardKeeper", "FailureLine", "RunningLine"]

MOST_RUNNING = 8
MOST_FAILURES = 5

OVER = (RunStatus.ENDED, RunStatus.DIED)


@final
@dataclass(frozen=True, slots=True)
class AppLine:
    """Count the tasks of one app; apps of one name are one, as an app that was defined again is."""

    name: str
    summary: Summary


@final
@dataclass(frozen=True, slots=True)
class RunningLine:
    """Say what runs, and for how many seconds."""

    task: int
    call: str
    seconds: float


@final
@dataclass(frozen=True, slots=True)
class FailureLine:
    """Say what failed, and why."""

    task: int
    call: str
    why: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Sum up a run at one moment. Running tasks come longest first, failures newest first."""

    run: RunInfo
    headline: Headline
    apps: Sequence[AppLine]
    running: Sequence[RunningLine]
    failures: Sequence[FailureLine]

    @property
    def is_over(self) -> bool:
        """Tell whether the run has ended."""
        return self.headline.is_over

    def to_values(self) -> dict[str, Any]:
        """Sort out everything for JSON."""
        estimate = self.headline.estimate
        return {
            "run": self.run.run,
            "status": str(self.run.status),
            "tasks": _by_state(self.headline.summary),
            "rate": self.headline.rate,
            "seconds_left": None if estimate is None else estimate.seconds,
            "apps": {app.name: _by_state(app.summary) for app in self.apps},
            "running": [asdict(line) for line in self.running],
            "failures": [asdict(line) for line in self.failures],
        }


@final
class BoardKeeper:
    """Keep the board of one run up to date. For one thread; a context manager."""

    def __init__(self, run: Path | str) -> None:
        """Open the journal of `run` as `open_run` does; raise JournalError when that cannot be."""
        self._reader = open_run(run)
        try:
            self._follower = Follower(self._reader.address)
        except BaseException:
            self._reader.close()
            raise
        self._model = RunModel()
        self._tally = Tally()
        self._failures: dict[int, FailureLine] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._follower.close()
        self._reader.close()

    def look(self) -> Board:
        """Read what is new and sum up."""
        run = self._reader.info()  # first: what a run that is over has written is all there is
        news, model = self._follower.news(), self._model
        model.take(news)
        self._note_failures(model.drain())
        now = time.time()
        return Board(
            run=run,
            headline=self._tally.sum_up(model, now=now, is_over=run.status in OVER),
            apps=self._apps(),
            running=self._running(now),
            failures=list(reversed(self._failures.values())),
        )

    def _apps(self) -> list[AppLine]:
        counts: dict[str, list[int]] = {}
        for app, by_state in self._model.by_app.items():
            name = self._model.app_name(app)
            before = counts.get(name, [0] * len(State))
            counts[name] = [sum(pair) for pair in zip(before, by_state, strict=True)]
        return [AppLine(name, Summary(tuple(each))) for name, each in counts.items()]

    def _running(self, now: float) -> list[RunningLine]:
        """Return the tasks that run for longest, which are the oldest but for retries."""
        model, task = self._model, 0
        found: list[RunningLine] = []
        while len(found) < MOST_RUNNING and (task := model.state_of.find(State.RUNNING, task + 1)) > 0:
            found.append(RunningLine(task, model.calls[task], max(0.0, now - model.started[task])))
        return sorted(found, key=lambda line: -line.seconds)

    def _note_failures(self, changes: Changes) -> None:
        """Keep the newest failures; one that changed is read again, since a retry may have failed anew."""
        state_of, touched = self._model.state_of, set(changes.states)
        still = [task for task in self._failures if task not in touched]
        new = [task for task in changes.states if state_of[task] == State.FAILED]
        newest = [*still, *new][-MOST_FAILURES:]
        self._failures = {
            task: self._failure(task) if task in touched else self._failures[task] for task in newest
        }

    def _failure(self, task: int) -> FailureLine:
        record = self._reader.task(task)
        return FailureLine(task, record.call, record.why)


def _by_state(summary: Summary) -> dict[str, int]:
    return {state.name.lower(): summary[state] for state in State if summary[state]}
