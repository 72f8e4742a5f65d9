"""Own what our widgets share: they follow a feed, are heard while a cell blocks, leave a still picture."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython
from IPython.display import display

from nbflow.core.states import State
from nbflow.live.esm import read_style
from nbflow.live.feed import Feed, Tick
from nbflow.live.headline import Headline, Tally
from nbflow.live.palette import LEGEND, look_of
from nbflow.live.source import flush_journal
from nbflow.live.still import Still

__all__ = ["LiveWidget", "free_callbacks"]

DRAW_SECONDS = 2.0
MIME = "application/vnd.jupyter.widget-view+json"


def free_callbacks(widget: Any) -> None:
    """Let the messages of a widget be handled while a cell blocks.

    ipykernel 7.4 hands a browser's message to the thread that last sent on the same comm. For a widget made
    in a cell that is the thread which runs cells. Without this memory the browser's own choice holds.
    """
    if widget.comm is not None and hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = None


class LiveWidget(anywidget.AnyWidget):
    """Be a view of a run, or of some of its tasks, in a notebook.

    `follow`, `show_changes` and `draw` are called on the feed's thread only.
    """

    _css = read_style()
    looks: Any = traitlets.List().tag(sync=True)
    order: Any = traitlets.List().tag(sync=True)

    def __init__(self, feed: Feed, tasks: Collection[int] | None, **traits: Any) -> None:
        super().__init__(
            looks=[_told(state) for state in State], order=[int(state) for state in LEGEND], **traits
        )
        free_callbacks(self)
        self.feed = feed
        self.headline: Headline | None = None
        self._tasks = tasks
        self._tally = Tally()
        self._still = Still()
        self._has_news = True
        self._shown_in: int | None = None

    def show_changes(self, tick: Tick, headline: Headline) -> None:
        """Send the browser what is new."""
        raise NotImplementedError

    def draw(self) -> str:
        """Return the still picture as HTML."""
        raise NotImplementedError

    def wanted(self) -> Collection[int] | None:
        """Return the tasks that are counted; None for all."""
        return self._tasks

    def follow(self, tick: Tick) -> None:
        """Take in what changed."""
        headline = self._tally.sum_up(tick.model, now=tick.now, tasks=self.wanted(), is_over=tick.is_over)
        self.show_changes(tick, headline)
        self._has_news = self._has_news or bool(tick.changes) or headline != self.headline
        self.headline = headline
        is_final = headline.is_quiet
        if self._has_news and self._still.is_due(now=tick.now, is_final=is_final):
            self._has_news = False
            self._still.renew(self.draw(), f"nbflow: {headline}", now=tick.now, is_final=is_final)

    def show(self) -> None:
        """Display the view in the cell that runs now, with room for its still picture."""
        self._shown_in = _execution()
        live = {MIME: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}, "text/plain": ""}
        display(live, raw=True)
        self._still.display()
        shell: Any = get_ipython()
        if shell is not None:
            shell.events.register("post_run_cell", self._settle)

    def _settle(self, *_: object) -> None:
        """Bring the still picture up to the end of a cell: a notebook without people may end right there."""
        if self._still.is_empty or self.headline is None or not self.headline.is_quiet:
            flush_journal()
            self.feed.refresh(self)

    def _ipython_display_(self) -> None:
        if self._shown_in is None or self._shown_in != _execution():
            self.show()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = {
            MIME: {"version_major": 2, "version_minor": 0, "model_id": self.model_id},
            "text/plain": repr(self),
            "text/html": f'<div class="nbflow-still">{self._drawn()}</div>',
        }
        return bundle, {}

    def __repr__(self) -> str:
        return f"nbflow: {self.headline or 'nothing is known yet'}"

    def _drawn(self) -> str:
        """Have the feed's thread draw the picture, and wait for it."""
        pictures: list[str] = []
        is_done = threading.Event()

        def draw(_: object) -> None:
            pictures.append(self.draw())
            is_done.set()

        self.feed.ask(draw)
        is_done.wait(DRAW_SECONDS)
        return pictures[0] if pictures else ""


def _told(state: State) -> dict[str, Any]:
    look = look_of(state)
    return {"word": look.word, "glyph": look.glyph, "css": look.css, "is_solid": look.is_solid}


def _execution() -> int | None:
    """Return the number of the cell that runs now."""
    shell: Any = get_ipython()
    return shell.execution_count if shell else None
