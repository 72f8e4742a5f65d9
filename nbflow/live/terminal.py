"""Own progress in a terminal: a bar in its last line, or plain lines where there is no terminal."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nbflow.core.states import State
from nbflow.live.feed import Feed, Tick, feed_of
from nbflow.live.headline import Headline, Tally
from nbflow.live.model import Summary
from nbflow.live.palette import LEGEND, LOOKS

__all__ = ["TerminalView", "progress"]

LINE_SECONDS = 10.0
BAR_WIDTH = 20
URGENT = (
    State.FAILED,
    State.UPSTREAM_FAILED,
    State.BACKOFF,
    State.HELD,
    State.PAUSED,
    State.RUNNING,
    State.JOINING,
)
COLOURS = {
    State.DONE: "green",
    State.RUNNING: "blue",
    State.JOINING: "magenta",
    State.FAILED: "bold red",
    State.UPSTREAM_FAILED: "red",
    State.BACKOFF: "yellow",
    State.HELD: "yellow",
    State.PAUSED: "yellow",
}


@contextmanager
def progress(run: Path | str, *, console: Console | None = None) -> Iterator[TerminalView]:
    """Show the progress of a run while the block lasts, on standard error or a given console.

    `run` is what `open_run` takes. Raises JournalError when its journal cannot be read.
    """
    view = TerminalView(feed_of(run), console=console)
    try:
        yield view
    finally:
        view.close()


@final
class TerminalView:
    """Show a run, or some of its tasks, in one line of a terminal; end when all of them are final."""

    def __init__(
        self,
        feed: Feed,
        tasks: Collection[int] | None = None,
        *,
        console: Console | None = None,
        settle: Callable[[], object] | None = None,
    ) -> None:
        """Follow `feed`; `settle()` waits until what has happened so far is in the journal."""
        self._feed = feed
        self._settle = settle
        self._tasks = tasks
        self._console = console or Console(stderr=True)
        self._tally = Tally()
        self._headline: Headline | None = None
        self._live: Live | None = None
        self._lined = 0.0
        self._lock = threading.Lock()
        self._is_closed = False
        atexit.register(self.close)  # a script that just ends gets its cursor back
        feed.attach(self)

    def follow(self, tick: Tick) -> None:
        """Take in what changed."""
        headline = self._tally.sum_up(tick.model, now=tick.now, tasks=self._tasks, is_over=tick.is_over)
        with self._lock:
            self._headline = headline
            if not self._is_closed and headline.summary.total:
                self._show(headline, tick.now)
        if headline.is_quiet:
            self._end()

    def close(self) -> None:
        """Show the numbers of now a last time and give the line back to the terminal."""
        self.refresh()
        self._end()

    def refresh(self) -> None:
        """Bring the numbers up to now."""
        if self._settle is not None:
            self._settle()
        self._feed.refresh(self)

    def __str__(self) -> str:
        return f"nbflow: {self._headline or 'nothing is known yet'}"

    def _show(self, headline: Headline, now: float) -> None:
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=False)
                self._live.start()
            self._live.update(_line(headline), refresh=True)
        elif not headline.is_quiet and now - self._lined >= LINE_SECONDS:
            self._console.print(f"nbflow: {headline}", highlight=False, soft_wrap=True)
            self._lined = now

    def _end(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            atexit.unregister(self.close)
            if self._live is not None:
                self._live.stop()
            elif self._headline is not None and self._headline.summary.total:
                self._console.print(f"nbflow: {self._headline}", highlight=False, soft_wrap=True)
        self._feed.detach(self)


def _line(headline: Headline) -> Text:
    """Write everything in one line, what matters least last: a narrow terminal cuts it off."""
    summary = headline.summary
    style = "red" if summary[State.FAILED] else "green"
    filled = BAR_WIDTH * summary.finished // max(1, summary.total)
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append("nbflow ", "bold").append("━" * filled, style).append(
        "━" * (BAR_WIDTH - filled), "bright_black"
    )
    line.append(f"  {summary[State.DONE]:,}/{summary.total:,} done")
    for state in URGENT:
        _append_count(line, summary, state)
    line.append(f"  {headline.pace}", "dim")
    for state in LEGEND:
        if state not in URGENT and state is not State.DONE:
            _append_count(line, summary, state)
    return line


def _append_count(line: Text, summary: Summary, state: State) -> None:
    if summary[state]:
        look = LOOKS[state]
        line.append(f"  {look.icon} {summary[state]:,} {look.word}", COLOURS.get(state, "dim"))
