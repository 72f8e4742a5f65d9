"""Own the two words that users type: `watch` and `progress`, each in the form that fits where they are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbflow.live.feed import feed_of
from nbflow.live.panes import TABS
from nbflow.live.source import Run, current_run
from nbflow.live.terminal import TerminalView

if TYPE_CHECKING:
    from nbflow.live.graph import GraphView
    from nbflow.live.progress_view import ProgressView

__all__ = ["progress", "show", "watch"]


def watch(futures: Any = None) -> GraphView | TerminalView:
    """Show the current run, live: its graph, and in tabs progress, timeline, resources, failures, results.

    With `futures` (one, or any arrangement of them), only their tasks and what these need. In a notebook the
    view is shown at once, also in the middle of a cell; elsewhere there is a line of progress. Raises
    NotLoaded before `nbflow.load()`.
    """
    return show(futures, TABS)


def show(futures: Any, tabs: Sequence[str]) -> GraphView | TerminalView:
    """Show some tabs of the view of the current run; the first is in front."""
    run = current_run()
    tasks = _tasks(run, futures)
    if not _is_in_notebook():
        return _in_terminal(run, tasks)
    from nbflow.live.graph import GraphView

    view = GraphView(run, feed_of(run.address), tasks, tabs=tabs)
    view.show()
    return view


def progress(futures: Any = None) -> ProgressView | TerminalView:
    """Show in one line how far the current run is, how fast it goes, when it will end.

    With `futures`, only for their tasks. A widget in a notebook, a bar in a terminal, a line of text now and
    then elsewhere. Raises NotLoaded before `nbflow.load()`.
    """
    run = current_run()
    tasks = _tasks(run, futures)
    if not _is_in_notebook():
        return _in_terminal(run, tasks)
    from nbflow.live.progress_view import ProgressView

    view = ProgressView(feed_of(run.address), tasks)
    view.show()
    return view


def _in_terminal(run: Run, tasks: set[int] | None) -> TerminalView:
    view = TerminalView(feed_of(run.address), tasks, settle=run.flush)
    view.refresh()
    return view


def _tasks(run: Run, futures: Any) -> set[int] | None:
    return None if futures is None else run.tasks_of(futures)


def _is_in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this code: only there are widgets shown."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")
