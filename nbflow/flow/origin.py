"""Own the name of the place that a call comes from: the line of a script. Notebooks name their cells."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["calling_line"]

_HERE = str(Path(__file__).parent.parent)


def calling_line() -> str | None:
    """Return the line of the user's code that called nbflow, such as `sweep.py:12`; None when there is none.

    It is asked for every call, so it takes no more than a microsecond.
    """
    frame = sys._getframe(1)
    while (filename := frame.f_code.co_filename).startswith(_HERE):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return f"{filename.rpartition('/')[2]}:{frame.f_lineno}"
