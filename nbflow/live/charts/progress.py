"""Own the chart of how far each app is: a bar of its states, its count, its rate, its estimated end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from nbflow.core.states import State
from nbflow.live.charts.svg import drawing, tag, words
from nbflow.live.headline import Headline
from nbflow.live.palette import LEGEND, LOOKS, MUTED, TEXT

__all__ = ["AppProgress", "draw_apps"]

NAME = 170.0
NUMBERS = 110.0
PACE = 230.0
ROW = 30.0
MOST_APPS = 60


@final
@dataclass(frozen=True, slots=True)
class AppProgress:
    """Tell how far one app is."""

    name: str
    headline: Headline


def draw_apps(apps: Sequence[AppProgress], width: float) -> str:
    """Return a row for each app as SVG."""
    shown = apps[:MOST_APPS]
    parts = [part for row, app in enumerate(shown) for part in _row(app, row * ROW, width)]
    if len(apps) > len(shown):
        parts.append(words(f"and {len(apps) - len(shown):,} more apps", 0, len(shown) * ROW + 18, fill=MUTED))
    return drawing(parts, width, max(1, len(shown)) * ROW + 24, f"Progress of {len(apps):,} apps")


def _row(app: AppProgress, top: float, width: float) -> Iterable[str]:
    headline, middle = app.headline, top + 19
    summary = headline.summary
    yield words(app.name, 0, middle, size=12.5, room=NAME - 12, fill=TEXT, font_weight=600)
    room = max(60.0, width - NAME - NUMBERS - PACE)
    left = NAME
    yield tag("rect", x=left, y=top + 11, width=room, height=9, fill="var(--jp-layout-color2, #eceff3)")
    for state in LEGEND:
        part = room * summary[state] / max(1, summary.total)
        if part:
            look = LOOKS[state]
            opacity = None if look.is_solid else 0.35
            yield tag(
                "rect", tag("title", f"{summary[state]:,} {look.word}"),
                x=left, y=top + 11, width=part, height=9, fill=look.css, fill_opacity=opacity,
            )  # fmt: skip
            left += part
    count = f"{summary[State.DONE]:,} / {summary.total:,}"
    yield words(count, NAME + room + 10, middle, fill=TEXT, size=12)
    failed = f"{LOOKS[State.FAILED].icon} {summary[State.FAILED]:,} failed  " if summary[State.FAILED] else ""
    bounds = headline.hint.partition(", at")[0]
    is_moving = summary.left > 0 or summary[State.DONE] == summary.total
    pace = " · ".join(filter(None, (headline.pace, bounds))) if is_moving else ""
    x = NAME + room + 10 + NUMBERS
    if failed:
        yield words(failed, x, middle, fill=LOOKS[State.FAILED].css)
        x += 6.6 * len(failed)
    yield words(pace, x, middle, room=width - x, fill=MUTED)
