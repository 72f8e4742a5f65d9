"""Own the plot of results against a parameter. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nbflow.core.states import State
from nbflow.live.charts.axes import HAIR, Scale, round_steps
from nbflow.live.charts.svg import drawing, tag, words
from nbflow.live.palette import LOOKS, MUTED, TEXT

__all__ = ["draw_points"]

LEFT = 64.0
TOP = 22.0
HEIGHT = 150.0
MARGIN = 0.04
RADIUS = 3.0


def draw_points(across: str, up: str, points: Sequence[tuple[float, float]], width: float) -> str:
    """Return the points as SVG, with the names of what is across and what is up."""
    bottom = TOP + HEIGHT
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_scale = _around(xs, LEFT, max(LEFT + 100, width - 12))
    y_scale = _around(ys, bottom, TOP)
    parts = [words(up, 0, 13, size=12, fill=TEXT, font_weight=600)]
    for value in round_steps(x_scale.low, x_scale.high, 8):
        x = x_scale(value)
        parts.append(tag("path", d=f"M{x:.1f} {TOP}V{bottom}", stroke=HAIR))
        parts.append(words(f"{value:.6g}", x, bottom + 14, text_anchor="middle", fill=MUTED))
    for value in round_steps(y_scale.low, y_scale.high, 4):
        y = y_scale(value)
        parts.append(tag("path", d=f"M{LEFT} {y:.1f}H{x_scale.end:.1f}", stroke=HAIR))
        parts.append(words(f"{value:.6g}", LEFT - 6, y + 4, text_anchor="end", fill=MUTED))
    dots = "".join(f"M{x_scale(x):.1f} {y_scale(y):.1f}h0" for x, y in points)
    look = LOOKS[State.DONE]
    parts.append(
        tag("path", d=dots, stroke=look.css, stroke_width=2 * RADIUS, stroke_linecap="round", opacity=0.8)
    )
    parts.append(
        words(across, x_scale.end, bottom + 28, text_anchor="end", size=12, fill=TEXT, font_weight=600)
    )
    return drawing(parts, width, bottom + 36, f"{up} by {across}, {len(points):,} tasks")


def _around(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    room = (high - low) * MARGIN or 1.0
    return Scale(low - room, high + room, start, end)
