"""Own the name of the place that a call comes from: the line of a script. Notebooks name their cells."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

__all__ = ["calling_line"]

_HERE = str(Path(__file__).parent.parent)
NEAREST = 4
"""How far up the user's code is at least: beyond this function, `_prepare`, `submit` and what called that."""


def calling_line() -> str | None:
    """Return the line of the user's code that called nbflow, such as `sweep.py:12`; None when there is none.

    It is asked for every call, so it takes less than half a microsecond.
    """
    frame = sys._getframe(NEAREST)
    while not (name := _name(frame.f_code.co_filename)):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None if name[0] == "<" else f"{name}:{frame.f_lineno}"


@functools.cache
def _name(filename: str) -> str:
    """Return the last part of the path, or nothing for a file of nbflow; what was typed in is no file."""
    return "" if filename.startswith(_HERE) else filename.rpartition("/")[2] or "<"
