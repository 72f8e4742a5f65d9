"""Own the word from IPython that a cell is about to run: calls come from there, and much may have changed."""

from __future__ import annotations

import sys
from typing import Any

from nbflow.flow import current
from nbflow.wire.functions import refresh

__all__ = ["follow_cells"]


def follow_cells() -> None:
    """Be told of every cell from now on, where there is an IPython shell; asking twice is fine.

    IPython is not imported: without it there is no shell.
    """
    shell = _shell()
    if shell is not None:
        if _before_cell not in shell.events.callbacks["pre_run_cell"]:
            shell.events.register("pre_run_cell", _before_cell)
        _name_origin(_known_inputs(shell) - 1)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _known_inputs(shell: Any) -> int:
    # Not shell.execution_count: whether it counts the coming cell depends on the version.
    return len(shell.history_manager.input_hist_raw)


def _before_cell(info: Any) -> None:
    refresh()
    _name_origin(_known_inputs(_shell()))


def _name_origin(number: int) -> None:
    if current.is_loaded():
        current.current().origin = f"In [{number}]"
