from types import SimpleNamespace
from typing import Any

from nbflow.live.widgets import free_callbacks


def test_clicks_are_freed_from_the_cells_thread() -> None:
    comm = SimpleNamespace(_reply_subshell_for=lambda data, default: "main")
    free_callbacks(SimpleNamespace(comm=comm))
    assert comm._reply_subshell_for is None


def test_other_kernels_are_left_as_they_are() -> None:
    comm = SimpleNamespace()
    widget: Any = SimpleNamespace(comm=comm)
    free_callbacks(widget)
    assert not hasattr(comm, "_reply_subshell_for")
    free_callbacks(SimpleNamespace(comm=None))
