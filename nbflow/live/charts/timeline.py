"""Own the timeline: a row for each slot, a bar for each try that ran there. Pure.

Bars that would be narrower than a pixel or two are drawn as one, so a run of any length is some kilobytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import final

from nbflow.core.states import State
from nbflow.live.charts.axes import HAIR, time_axis
from nbflow.live.charts.extent import Window, survey
from nbflow.live.charts.svg import drawing, tag, words
from nbflow.live.model import RunModel
from nbflow.live.palette import LOOKS, MUTED, TEXT, app_colour
from nbflow.live.spans import Span

__all__ = ["Timeline"]

MOST_LEFT = 150.0
LETTER = 6.4
NAME_GAP = 14.0
TOP = 24.0
AXIS = 24.0
HIGHEST_ROW = 22.0
LOWEST_ROW = 5.0
NAMED_ROW = 11.0
MOST_ROWS = 120
LEAST_BAR = 1.5
NARROW = 4.0
BAR_GAP = 0.7
"""Between bars that can be told apart."""

FULLEST = 420.0
"""Pixels of height up to which rows are as high as can be."""

FAINT = 0.28
_NUMBER = re.compile(r"(\d+)")
FAILED_ENDS = (State.FAILED, State.BACKOFF)


@final
@dataclass(frozen=True, slots=True)
class _Bar:
    lane: int
    start: float
    end: float
    colour: str
    strength: float


@final
class Timeline:
    """Draw the tries of a run, or of some of its tasks, between two times, and find what is under a pixel."""

    def __init__(
        self,
        model: RunModel,
        wanted: Collection[int] | None,
        *,
        width: float,
        now: float,
        window: Window | None = None,
    ) -> None:
        self._model = model
        longest = max(map(len, model.spans.lanes), default=0)
        self._left = min(MOST_LEFT, NAME_GAP + LETTER * longest)
        extent = survey(model, wanted, now=now, window=window, left=self._left, width=width)
        self._spans, self._origin, self.scale = extent.spans, extent.origin, extent.scale
        used = sorted({span.lane for span in self._spans}, key=lambda lane: _natural(model.spans.lanes[lane]))
        self._row_of = {lane: row for row, lane in enumerate(used[:MOST_ROWS])}
        self._left_out = len(used) - len(self._row_of)
        rows = max(1, len(self._row_of))
        self._row = max(LOWEST_ROW, min(HIGHEST_ROW, FULLEST / rows))
        self._bottom = TOP + rows * self._row
        self._width = width

    def draw(self) -> str:
        """Return the timeline as SVG."""
        more = words(f"and {self._left_out:,} more slots", 0, self._bottom + 14, fill=MUTED)
        parts = [
            time_axis(self.scale, TOP, self._bottom),
            *self._names(),
            *self._paths(self._bars()),
            *self._legend(),
            more if self._left_out else "",
        ]
        title = f"Timeline: {len(self._spans):,} tries on {len(self._row_of):,} slots"
        return drawing(parts, self._width, self._bottom + AXIS, title)

    def pick(self, x: float, y: float) -> int:
        """Return the task whose bar is at a pixel, or 0: the one that ends last where there are several."""
        row, time = int((y - TOP) // self._row), self.scale.value(x) + self._origin
        slack = 3 / (self.scale.end - self.scale.start) * (self.scale.high - self.scale.low)
        found = [
            span
            for span in self._spans
            if self._row_of.get(span.lane) == row and span.began - slack <= time <= span.ended + slack
        ]
        return (
            max(found, key=lambda span: (span.began <= time <= span.ended, span.began)).task if found else 0
        )

    def _names(self) -> Iterable[str]:
        step = 1 if self._row >= NAMED_ROW else round(NAMED_ROW / self._row + 0.5)
        for lane, row in self._row_of.items():
            y = TOP + row * self._row
            if row % step == 0:
                size = min(11.5, max(9.0, self._row - 2))
                name = self._model.spans.lanes[lane]
                yield words(
                    name,
                    self._left - 8,
                    y + self._row / 2 + 4,
                    size=size,
                    room=self._left - 12,
                    text_anchor="end",
                    fill=MUTED,
                )
            if self._row >= NAMED_ROW:
                yield tag(
                    "path",
                    d=f"M{self._left:.0f} {y:.1f}H{self.scale.end:.1f}",
                    stroke=HAIR,
                    stroke_opacity=0.6,
                )

    def _bars(self) -> Iterable[_Bar]:
        low, high = self.scale.low + self._origin, self.scale.high + self._origin
        for span in self._spans:
            if span.lane not in self._row_of or span.ended < low or span.sent > high:
                continue
            colour = self._colour(span)
            if span.began - span.sent > 0:
                yield _Bar(span.lane, max(low, span.sent), min(high, span.began), MUTED, FAINT)
            if span.began <= high:
                strength = 0.55 if span.state == State.RUNNING else 1.0
                yield _Bar(span.lane, max(low, span.began), min(high, span.ended), colour, strength)

    def _colour(self, span: Span) -> str:
        if span.state in FAILED_ENDS:
            return LOOKS[State.FAILED].css
        if span.state == State.CANCELLED:
            return LOOKS[State.CANCELLED].css
        return app_colour(self._model.app_of[span.task])

    def _paths(self, bars: Iterable[_Bar]) -> Iterable[str]:
        """Draw the bars, those of one colour as one path; those that failed come last and lie above."""
        by_look: dict[tuple[str, float], list[_Bar]] = {}
        for bar in bars:
            by_look.setdefault((bar.colour, bar.strength), []).append(bar)
        failed = LOOKS[State.FAILED].css
        for (colour, strength), group in sorted(
            by_look.items(), key=lambda one: (one[0][0] == failed, one[0][1])
        ):
            yield tag("path", d=self._path(group), fill=colour, fill_opacity=strength)

    def _path(self, bars: Sequence[_Bar]) -> str:
        """Draw bars as one path; those too narrow to be told apart become one."""
        height = self._row * (0.78 if self._row >= NAMED_ROW else 0.9)
        boxes: list[tuple[int, float, float, bool]] = []
        for bar in sorted(bars, key=lambda bar: (bar.lane, bar.start)):
            left, right = self.scale(bar.start - self._origin), self.scale(bar.end - self._origin)
            is_narrow = right - left < NARROW
            right = max(right, left + LEAST_BAR) if is_narrow else right - BAR_GAP
            if boxes and is_narrow:
                lane, first, last, was_narrow = boxes[-1]
                if was_narrow and lane == bar.lane and left - last < LEAST_BAR / 2:
                    boxes[-1] = (lane, first, max(last, right), True)
                    continue
            boxes.append((bar.lane, left, right, is_narrow))
        texts = []
        for lane, left, right, _ in boxes:
            top = TOP + self._row_of[lane] * self._row + (self._row - height) / 2
            texts.append(f"M{left:.1f} {top:.1f}h{right - left:.1f}v{height:.1f}h-{right - left:.1f}z")
        return "".join(texts)

    def _legend(self) -> Iterable[str]:
        apps = dict.fromkeys(self._model.app_of[span.task] for span in self._spans)
        looks = [(self._model.app_name(app), app_colour(app)) for app in apps]
        if any(span.state in FAILED_ENDS for span in self._spans):
            looks.append(("failed", LOOKS[State.FAILED].css))
        x = self._left
        for name, colour in looks:
            shown = name if len(name) <= 24 else f"{name[:23]}…"
            width = 22 + 6.6 * len(shown)
            if x + width > self.scale.end:
                break
            yield tag("rect", x=x, y=4, width=9, height=9, rx=2, fill=colour)
            yield words(shown, x + 13, 12.5, fill=TEXT)
            x += width


def _natural(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in _NUMBER.split(name)]
