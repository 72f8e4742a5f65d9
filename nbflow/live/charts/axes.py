"""Own scales: from values to pixels, and the round values at which a line is drawn. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from nbflow.core.durations import in_words
from nbflow.live.charts.svg import tag, words
from nbflow.live.palette import MUTED

__all__ = ["HAIR", "Scale", "count_axis", "round_steps", "time_axis"]

HAIR = "var(--jp-border-color2, #e4e7ec)"
LETTER_ROOM = 80.0
CLOCK_DECIMALS = 10.0
CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@final
@dataclass(frozen=True, slots=True)
class Scale:
    """Map values from `low` to `high` onto pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def value(self, pixel: float) -> float:
        """Return the value at a pixel."""
        return self.low + (pixel - self.start) / (self.end - self.start) * (self.high - self.low)

    def to_message(self) -> dict[str, float]:
        """Write for the browser, which turns what a person drags over into times."""
        return {"left": self.start, "right": self.end, "from": self.low, "to": self.high}


def round_steps(low: float, high: float, most: int, steps: tuple[float, ...] = ()) -> list[float]:
    """Return at most `most` round values between two others: multiples of 1, 2 or 5, or of one of `steps`."""
    least = (high - low) / max(1, most)
    step = next((one for one in steps if one >= least), None)
    if step is None or least < steps[0]:
        power = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
        step = next(one * power for one in (1, 2, 5, 10) if one * power >= least * 0.999)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def time_axis(scale: Scale, top: float, bottom: float) -> str:
    """Draw lines at round times, in seconds since the run's start, with their names below."""
    most = max(2, int((scale.end - scale.start) / LETTER_ROOM))
    parts = []
    for time in round_steps(scale.low, scale.high, most, CLOCK_STEPS):
        x = scale(time)
        parts.append(tag("path", d=f"M{x:.1f} {top:.1f}V{bottom:.1f}", stroke=HAIR))
        name = _clock(time, scale.high - scale.low)
        parts.append(words(name, x, bottom + 14, text_anchor="middle", fill=MUTED))
    return tag("g", *parts)


def _clock(time: float, span: float) -> str:
    """Name a time; where only seconds are in sight, with as many decimals as tell the lines apart."""
    if abs(time) < 1e-9:
        return "0"
    if span >= CLOCK_DECIMALS or time < 0:
        return in_words(time) if time > 0 else f"-{in_words(-time)}"
    decimals = max(0, 1 - math.floor(math.log10(span / 2)))
    return f"{time:.{decimals}f}".rstrip("0").rstrip(".") + " s"


def count_axis(scale: Scale, left: float, right: float) -> str:
    """Draw lines at round counts, with their numbers at the left."""
    parts = []
    for count in round_steps(scale.low, scale.high, 3):
        y = scale(count)
        parts.append(tag("path", d=f"M{left:.1f} {y:.1f}H{right:.1f}", stroke=HAIR))
        parts.append(words(f"{count:,.4g}", left - 6, y + 4, text_anchor="end", fill=MUTED))
    return tag("g", *parts)
