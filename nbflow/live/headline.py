"""Own the one line that sums a run up: how many tasks are done, how fast it goes, when it will end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from nbflow.core.durations import in_words
from nbflow.core.states import State
from nbflow.live.model import RunModel, Summary
from nbflow.live.palette import LEGEND, LOOKS
from nbflow.live.rate import Estimate, Rate

__all__ = ["Headline", "Tally"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """Sum up some tasks at one moment.

    `rate` is in tasks a second, `elapsed` in seconds with work to do; either is None while it is not known.
    """

    summary: Summary
    rate: float | None = None
    estimate: Estimate | None = None
    elapsed: float | None = None
    is_over: bool = False

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing more is to come by itself."""
        return self.is_over or (self.summary.total > 0 and self.summary.left == 0)

    @property
    def pace(self) -> str:
        """Say how fast the tasks go, or how long they took."""
        if self.summary.total == 0:
            return ""
        if self.summary.left == 0:
            return "finished" if self.elapsed is None else f"finished in {in_words(self.elapsed)}"
        if self.is_over:
            return "ended" if self.elapsed is None else f"ended after {in_words(self.elapsed)}"
        words = [_speed(self.rate)] if self.rate else []
        if self.estimate:
            words.append(str(self.estimate))
        return " · ".join(words)

    @property
    def hint(self) -> str:
        """Say how sure the end is."""
        if self.estimate is None or self.is_quiet:
            return ""
        low, high = in_words(self.estimate.low), in_words(self.estimate.high)
        return f"between {low} and {high}, at the rate of the last seconds and with the tasks known now"

    @property
    def progress(self) -> str:
        """Count what is done."""
        total = self.summary.total
        return f"{self.summary[State.DONE]:,} of {total:,} {'task' if total == 1 else 'tasks'} done"

    def __str__(self) -> str:
        states = [
            f"{self.summary[state]:,} {LOOKS[state].word}"
            for state in LEGEND
            if self.summary[state] and state is not State.DONE
        ]
        return ", ".join(part for part in (self.progress, *states, self.pace) if part)

    def to_message(self) -> dict[str, Any]:
        """Write for the browser."""
        return {
            "counts": list(self.summary.counts),
            "total": self.summary.total,
            "finished": self.summary.finished,
            "failed": self.summary[State.FAILED],
            "pace": {"text": self.pace, "hint": self.hint},
        }


@final
class Tally:
    """Keep the headline of a run, or of some of its tasks, up to date."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._elapsed = 0.0
        self._moment: float | None = None
        self._is_busy = True

    def sum_up(
        self, model: RunModel, *, now: float, tasks: Iterable[int] | None = None, is_over: bool = False
    ) -> Headline:
        """Sum up at the time `now` (seconds since the epoch)."""
        summary = model.summary(tasks)
        self._rate.note(now, summary.finished)
        if model.began is not None:
            if self._is_busy:
                self._elapsed += model.latest - (model.began if self._moment is None else self._moment)
            self._moment = model.latest
            self._is_busy = summary.left > 0
        return Headline(
            summary=summary,
            rate=self._rate.per_second(),
            estimate=self._rate.estimate(summary.left),
            elapsed=self._elapsed,
            is_over=is_over,
        )


def _speed(rate: float) -> str:
    if rate >= 10:
        return f"{rate:,.0f} tasks/s"
    return f"{rate:.1f} tasks/s" if rate >= 1 else f"{60 * rate:.1f} tasks/min"
