"""Own the one-line progress view in the notebook."""

from __future__ import annotations

from collections.abc import Collection
from typing import final

import traitlets

from nbflow.core.states import State
from nbflow.live.esm import join_modules
from nbflow.live.feed import Feed, Tick
from nbflow.live.headline import Headline
from nbflow.live.model import Summary
from nbflow.live.picture import draw_progress
from nbflow.live.widgets import LiveWidget

__all__ = ["ProgressView"]

NOTHING = Headline(summary=Summary((0,) * len(State)))


@final
class ProgressView(LiveWidget):
    """Show how many tasks are done, how fast it goes, when it will end."""

    _esm = join_modules("progress.js")
    head = traitlets.Dict(NOTHING.to_message()).tag(sync=True)

    def __init__(self, feed: Feed, tasks: Collection[int] | None = None) -> None:
        super().__init__(feed, tasks)
        feed.attach(self)

    def show_changes(self, tick: Tick, headline: Headline) -> None:
        """Send the numbers, when they changed."""
        self.head = headline.to_message()

    def draw(self) -> str:
        """Return the numbers as HTML."""
        return draw_progress(self.headline or NOTHING)
