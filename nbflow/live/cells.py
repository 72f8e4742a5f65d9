"""Own the names of notebook cells in tracebacks: `Cell In[5]` in place of the file that IPython made up."""

from __future__ import annotations

import re
from typing import Any

from IPython import get_ipython

__all__ = ["name_cells", "origin_of"]

_NUMBER = re.compile(r"In\s?\[(\d+)\]")
_FILE = re.compile(r'File "([^"\n]+)"')


def name_cells(traceback: str) -> str:
    """Name the cells of this kernel in the text of a traceback; other files stay as they are."""
    shell: Any = get_ipython()
    if shell is None:
        return traceback

    def name(found: re.Match[str]) -> str:
        known: tuple[str, str] | None = shell.compile.format_code_name(found[1])
        return " ".join(known) if known else found[0]

    return _FILE.sub(name, traceback)


def origin_of(filename: str) -> str | None:
    """Return the cell of this kernel whose code has this file name, as the journal names it: `In [5]`."""
    shell: Any = get_ipython()
    known: tuple[str, str] | None = shell and shell.compile.format_code_name(filename)
    number = _NUMBER.search(known[1]) if known else None
    return None if number is None else f"In [{number[1]}]"
