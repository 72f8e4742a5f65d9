"""Own the charts of what a run used over time: slots, throughput, processors and memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import final

from nbflow.core.states import State
from nbflow.journal.rows import UsageRow
from nbflow.live.charts.axes import Scale, count_axis, time_axis
from nbflow.live.charts.extent import LEAST_SECONDS, Window, survey
from nbflow.live.charts.svg import drawing, tag, words
from nbflow.live.model import RunModel
from nbflow.live.palette import AMBER, BLUE, GREEN, GREY, MUTED, TEXT, VIOLET
from nbflow.live.spans import Span

__all__ = ["Resources"]

LEFT = 56.0
TITLE = 22.0
HEIGHT = 72.0
GAP = 26.0
MOST_BINS = 240
MOST_NODES = 4
"""Up to so many have charts of their own; more are summed up."""

Stretch = tuple[float, float, float]
"""From when to when something lasted, and how much it counts."""


@final
class Resources:
    """Draw charts over one time axis, between two times."""

    def __init__(
        self,
        model: RunModel,
        wanted: Collection[int] | None,
        *,
        width: float,
        now: float,
        window: Window | None = None,
    ) -> None:
        extent = survey(model, wanted, now=now, window=window, left=LEFT, width=width)
        self._usage, self._lanes = model.usage, model.spans.lanes
        self._spans, self._origin, self.scale = extent.spans, extent.origin, extent.scale
        self._width = width

    def draw(self) -> str:
        """Return the charts as SVG."""
        o = self._origin
        bins = min(MOST_BINS, max(20, int((self.scale.end - self.scale.start) / 4)))
        step = (self.scale.high - self.scale.low) / bins
        used = self._mean(((span.began - o, span.ended - o, 1.0) for span in self._spans), bins)
        waited = self._mean(((span.ready - o, span.sent - o, 1.0) for span in self._spans), bins)
        ends = (span.ended - o for span in self._spans if span.state != State.RUNNING)
        rates = [count / step for count in self._counted(ends, bins)]
        parts: list[str] = []
        top = 0.0
        for title, values, colour in (
            ("Slots with work", used, BLUE),
            ("Tasks that waited for a slot", waited, GREY),
            ("Tasks ended a second", rates, GREEN),
            *self._measured(bins),
        ):
            parts.append(self._chart(title, values, colour, top))
            top += TITLE + HEIGHT + GAP
        return drawing(parts, self._width, top, "Slots, queue, throughput and resources over time")

    def _measured(self, bins: int) -> Iterator[tuple[str, list[float], tuple[str, str]]]:
        """Give the charts of what calls used that were measured, by node: its last try stands for a task."""
        by_node: dict[str, list[Span]] = {}
        for span in {span.task: span for span in self._spans if span.task in self._usage}.values():
            by_node.setdefault(self._lanes[span.lane].rpartition("/")[0], []).append(span)
        if len(by_node) > MOST_NODES:
            by_node = {f"{len(by_node)} nodes": [span for spans in by_node.values() for span in spans]}
        for node, spans in by_node.items():
            yield f"Processors busy: {node}", self._mean(self._weighed(spans, _processors), bins), VIOLET
            yield f"Memory held, MB: {node}", self._mean(self._weighed(spans, _megabytes), bins), AMBER

    def _weighed(self, spans: Iterable[Span], weigh: Callable[[UsageRow, float], float]) -> Iterator[Stretch]:
        for span in spans:
            seconds = max(span.ended - span.began, LEAST_SECONDS)
            yield span.began - self._origin, span.ended - self._origin, weigh(self._usage[span.task], seconds)

    def _chart(self, title: str, values: Sequence[float], colour: tuple[str, str], top: float) -> str:
        top, bottom = top + TITLE, top + TITLE + HEIGHT
        most = max([1.0, *values])
        heights = Scale(0.0, most, bottom, top)
        css = f"var({colour[1]}, {colour[0]})"
        step = (self.scale.end - self.scale.start) / len(values)
        outline = "".join(
            f"{'L' if place else 'M'}{self.scale.start + place * step:.1f} {heights(value):.1f}h{step:.1f}"
            for place, value in enumerate(values)
        )
        area = f"{outline}V{bottom:.1f}H{self.scale.start:.1f}Z"
        mean = sum(values) / len(values)
        return tag(
            "g",
            words(title, LEFT, top - 7, size=12, fill=TEXT, font_weight=600),
            words(
                f"mean {round(mean, 1):,g}, most {round(max(values), 1):,g}",
                self.scale.end,
                top - 7,
                text_anchor="end",
                fill=MUTED,
            ),
            time_axis(self.scale, top, bottom),
            count_axis(heights, LEFT, self.scale.end),
            tag("path", d=area, fill=css, fill_opacity=0.22),
            tag("path", d=outline, fill="none", stroke=css, stroke_width=1.4, stroke_linejoin="round"),
        )

    def _counted(self, times: Iterable[float], bins: int) -> list[int]:
        """Count the moments in each bin."""
        counts, (low, high) = [0] * bins, (self.scale.low, self.scale.high)
        for time in times:
            if low <= time <= high:
                counts[min(bins - 1, int((time - low) / (high - low) * bins))] += 1
        return counts

    def _mean(self, stretches: Iterable[Stretch], bins: int) -> list[float]:
        """Return for each bin how much lasted over it in the mean: linear in the number of stretches.

        Each begins and ends within a bin, of which it covers a part; between the two it counts whole.
        """
        part, whole = [0.0] * (bins + 1), [0.0] * (bins + 1)
        low, step = self.scale.low, (self.scale.high - self.scale.low) / bins
        for start, end, weight in stretches:
            first, last = max(0.0, (start - low) / step), min(float(bins), (end - low) / step)
            if last <= first:
                continue
            i, j = int(first), min(bins - 1, int(last))
            if i == j:
                part[i] += weight * (last - first)
                continue
            part[i] += weight * (i + 1 - first)
            part[j] += weight * (last - j)
            whole[i + 1] += weight
            whole[j] -= weight
        means, covering = [], 0.0
        for place in range(bins):
            covering += whole[place]
            means.append(max(0.0, covering + part[place]))
        return means


def _processors(usage: UsageRow, seconds: float) -> float:
    return usage.cpu_seconds / seconds


def _megabytes(usage: UsageRow, _: float) -> float:
    return (usage.nbytes or 0) / 1e6
