"""Own the views of a run that stand alone: each tab of `nbflow.watch()` by itself.

Each takes futures, in any arrangement, or nothing for all of the current run. They raise NotLoaded before
`nbflow.load()`, and outside of a notebook they are a line of progress.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbflow.live.entry import show

if TYPE_CHECKING:
    from nbflow.live.graph import GraphView
    from nbflow.live.terminal import TerminalView

__all__ = ["failures", "graph", "progress", "resources", "results", "timeline"]


def graph(futures: Any = None) -> GraphView | TerminalView:
    """Show the graph of tasks: a mark for each, coloured by its state."""
    return show(futures, ("graph",))


def progress(futures: Any = None) -> GraphView | TerminalView:
    """Show how far each app is, how fast it goes, and when it will end."""
    return show(futures, ("progress",))


def timeline(futures: Any = None) -> GraphView | TerminalView:
    """Show when each slot ran what: a row for each slot, a bar for each try."""
    return show(futures, ("timeline",))


def resources(futures: Any = None) -> GraphView | TerminalView:
    """Show over time the slots that had work, the tasks that waited for one, the tasks that ended."""
    return show(futures, ("resources",))


def failures(futures: Any = None) -> GraphView | TerminalView:
    """Show what failed, grouped by cause, with what can be done about it."""
    return show(futures, ("failures",))


def results(futures: Any = None) -> GraphView | TerminalView:
    """Show parameters, state and result of the tasks of a map as a table that plots itself."""
    return show(futures, ("results",))
