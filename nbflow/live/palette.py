"""Own how a state looks: its word, its icon, its colour. It refuses to know what is drawn.

Each state has an icon and a word beside its colour, so that nothing is said by hue alone. Colours are CSS:
the theme's `--jp-*` variable where it has one, and our own value where it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nbflow.core.states import State

__all__ = [
    "AMBER",
    "BLUE",
    "GREEN",
    "GREY",
    "LEGEND",
    "LOOKS",
    "MUTED",
    "TEXT",
    "VIOLET",
    "Look",
    "app_colour",
    "look_of",
]

MUTED = "var(--jp-ui-font-color2, #667080)"
"""The CSS colour of words beside the point."""

TEXT = "var(--jp-ui-font-color1, #24292f)"
"""The CSS colour of words."""

GREY = ("#8a8f98", "--jp-ui-font-color3")
BLUE = ("#1976d2", "--jp-brand-color1")
GREEN = ("#2a9d74", "--nbflow-green")
RED = ("#d32f2f", "--jp-error-color1")
AMBER = ("#e08a00", "--jp-warn-color1")
VIOLET = ("#7e57c2", "--nbflow-violet")

APPS = ("#4e8fc7", "#3aa394", "#b98bd0", "#c9a227", "#6f7fd6", "#7fae4b", "#4db6d0", "#a5897a")
"""Apps, in turn: all about as light, none of them the red of a failure."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Say how one state is shown.

    `icon` is one character for text. `glyph` is an SVG path, stroked in a box from -8 to 8. `hex` is the
    colour where no theme gives `variable`. `is_solid` tells a filled mark from a ring: it has been started.
    """

    word: str
    icon: str
    glyph: str
    hex: str
    variable: str
    is_solid: bool = False

    @property
    def css(self) -> str:
        """Give the colour as a CSS value."""
        return f"var({self.variable}, {self.hex})"


def _look(word: str, icon: str, glyph: str, colour: tuple[str, str], *, is_solid: bool = False) -> Look:
    hex_, variable = colour
    return Look(word=word, icon=icon, glyph=glyph, hex=hex_, variable=variable, is_solid=is_solid)


LOOKS: dict[State, Look] = {
    State.NEW: _look("new", "○", "", GREY),
    State.WAITING: _look("waiting", "○", "", GREY),
    State.READY: _look("ready", "◌", "M-1 0h2", BLUE),
    State.STAGING_IN: _look("staging in", "↓", "M0-4V3M-3 0L0 3L3 0", BLUE),
    State.QUEUED: _look("queued", "◌", "M-1 0h2", BLUE),
    State.RUNNING: _look("running", "▶", "M-1.5-3L3 0L-1.5 3Z", BLUE, is_solid=True),
    State.STAGING_OUT: _look("staging out", "↑", "M0 4V-3M-3 0L0-3L3 0", BLUE, is_solid=True),
    State.JOINING: _look("joining", "⋯", "M-3.5 0h.1M0 0h.1M3.5 0h.1", VIOLET, is_solid=True),
    State.BACKOFF: _look("will retry", "↻", "M3.5 0A3.5 3.5 0 1 1 1.5-3.2M1.2-5.6L1.7-3.1L-.7-2.4", AMBER),
    State.PAUSED: _look("paused", "‖", "M-1.8-3V3M1.8-3V3", AMBER),
    State.DONE: _look("done", "✓", "M-3.5 .3L-1 2.8L3.5-2.5", GREEN, is_solid=True),
    State.FAILED: _look("failed", "✕", "M-3-3L3 3M3-3L-3 3", RED, is_solid=True),
    State.UPSTREAM_FAILED: _look("upstream failed", "⊘", "M-3 3L3-3", RED),
    State.HELD: _look("held", "⊓", "M-3.5 3V-3H3.5V3", AMBER),
    State.CANCELLED: _look("cancelled", "⊖", "M-3 0H3", GREY),
}

LEGEND: tuple[State, ...] = (
    State.DONE,
    State.STAGING_OUT,
    State.JOINING,
    State.RUNNING,
    State.STAGING_IN,
    State.QUEUED,
    State.READY,
    State.WAITING,
    State.NEW,
    State.BACKOFF,
    State.PAUSED,
    State.HELD,
    State.FAILED,
    State.UPSTREAM_FAILED,
    State.CANCELLED,
)
"""The states in the order in which people read them: what is behind us first, trouble last."""


def look_of(state: int) -> Look:
    """Give the look of a state number; one that this nbflow does not know looks like a new task."""
    return LOOKS[State(state)] if 0 <= state < len(State) else LOOKS[State.NEW]


def app_colour(app: int) -> str:
    """Give the colour of an app where a colour cannot tell its state, as in a timeline."""
    return APPS[(app - 1) % len(APPS)]
