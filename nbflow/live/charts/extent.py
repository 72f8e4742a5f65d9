"""Own what charts over time have in common: which tries they are about, and their time axis. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import final

from nbflow.live.charts.axes import Scale
from nbflow.live.model import RunModel
from nbflow.live.spans import Span

__all__ = ["LEAST_SECONDS", "Extent", "Window", "survey"]

Window = tuple[float, float]
"""From when to when, in seconds since the run's first task."""

LEAST_SECONDS = 1e-3
LEAST_PIXELS = 100.0
RIGHT = 12.0


@final
@dataclass(frozen=True, slots=True)
class Extent:
    """Hold tries, the time of the run's first task (seconds since the epoch), and the axis from there on."""

    spans: list[Span]
    origin: float
    scale: Scale


def survey(
    model: RunModel,
    wanted: Collection[int] | None,
    *,
    now: float,
    window: Window | None,
    left: float,
    width: float,
) -> Extent:
    """Gather the tries of a run, or of some tasks, and lay the window's time over the width from `left`."""
    origin = model.began or now
    spans = [*model.spans, *model.spans.running(now)]
    if wanted is not None:
        spans = [span for span in spans if span.task in wanted]
    end = max((span.ended for span in spans), default=origin) - origin
    low, high = window or (0.0, end)
    scale = Scale(low, max(high, low + LEAST_SECONDS), left, max(left + LEAST_PIXELS, width - RIGHT))
    return Extent(spans, origin, scale)
