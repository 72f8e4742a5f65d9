"""Own the word from IPython that a cell is about to run: calls come from there, and much may have changed."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Any

from nbflow.flow import current
from nbflow.journal.rows import CellRow
from nbflow.wire.functions import refresh

__all__ = ["follow_cells", "is_notebook", "notebook_path"]


def follow_cells() -> None:
    """Be told of every cell from now on, where there is an IPython shell; asking twice is fine.

    IPython is not imported: without it there is no shell.
    """
    shell = _shell()
    if shell is not None:
        if _before_cell not in shell.events.callbacks["pre_run_cell"]:
            shell.events.register("pre_run_cell", _before_cell)
            shell.events.register("post_run_cell", _after_cell)
        _enter(_running_cell(shell))


def notebook_path() -> str | None:
    """Return the notebook that somebody has opened, None where there is none."""
    shell = _shell()
    if shell is None:
        return None
    # A Jupyter server names the notebook in the environment, VS Code among the user's variables.
    return os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")


def is_notebook() -> bool:
    """Tell whether a Jupyter kernel runs here, whoever uses it."""
    return hasattr(_shell(), "kernel")


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _before_cell(info: Any) -> None:
    refresh()
    # A cell that is not kept in the history has no number.
    number = _known_inputs(_shell()) if info.store_history else None
    _enter(_cell(_shell(), number, info.raw_cell, getattr(info, "cell_id", None)))


def _after_cell(_: Any) -> None:
    told = current.current().binding.tell() if current.is_loaded() else ""
    if told:
        sys.stdout.write(told + "\n")


def _running_cell(shell: Any) -> CellRow | None:
    """Describe the cell that runs just now, from what the front end sent, and in a terminal from history."""
    message = shell.get_parent() if hasattr(shell, "get_parent") else {}
    inputs = shell.history_manager.input_hist_raw
    source = message.get("content", {}).get("code", inputs[-1])
    return _cell(shell, _known_inputs(shell) - 1, source, message.get("metadata", {}).get("cellId"))


def _known_inputs(shell: Any) -> int:
    # Not shell.execution_count: whether it counts the coming cell depends on the version.
    return len(shell.history_manager.input_hist_raw)


def _cell(shell: Any, number: int | None, source: str, cell_id: Any) -> CellRow | None:
    if number is None:
        return None
    notebook = notebook_path()
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return CellRow(f"In [{number}]", notebook, None if cell_id is None else str(cell_id), number, digest)


def _enter(cell: CellRow | None) -> None:
    if current.is_loaded():
        current.current().enter_cell(cell)
