"""Own the reserved arguments of an app that name files: `outputs`, `stdout`, `stderr`."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any, Final, final

from nbflow.data.file import File
from nbflow.errors import AppTypeError
from nbflow.flow.futures.future import DataFuture
from nbflow.wire.messages import Stream

__all__ = ["AUTO", "Auto", "as_files", "as_stream"]

MODES = ("w", "a", "x", "w+", "a+", "wt", "at", "xt")


@final
class Auto:
    """Ask nbflow to choose the file: one for each task, in the run's own directory."""

    def __repr__(self) -> str:
        return "nbflow.AUTO"

    def __reduce__(self) -> str:
        return "AUTO"

    def __memo_key__(self) -> str:
        """Tell nothing: there is only one."""
        return "AUTO"


AUTO: Final = Auto()

_next_auto = count(1).__next__


def as_stream(value: Any, *, what: str, app: str, run_dir: Path) -> Stream | None:
    """Return where output goes: a path, a (path, mode) pair, a File, AUTO, or None.

    Raises AppTypeError for anything else.
    """
    if value is None:
        return None
    if isinstance(value, Auto):
        suffix = "out" if what == "stdout" else "err"
        return Stream(str(run_dir / "logs" / f"{app}-{_next_auto():06d}.{suffix}"))
    path, mode = value if isinstance(value, tuple) and len(value) == 2 else (value, "w")
    if not isinstance(path, str | os.PathLike) or mode not in MODES:
        raise AppTypeError(
            f"{what}={value!r}: give a path, a pair such as ('log.txt', 'a'), nbflow.AUTO, or None"
        )
    return Stream(File(path).path, mode)


def as_files(value: Any) -> list[File]:
    """Return the files of `outputs`. Raises AppTypeError when it is not a list of paths and Files."""
    if isinstance(value, str | os.PathLike) or not hasattr(value, "__iter__"):
        raise AppTypeError(f"outputs={value!r}: give a list of paths or Files, one for each file it writes")
    files = []
    for place, one in enumerate(value):
        name = one.file if isinstance(one, DataFuture) else one
        if not isinstance(name, str | os.PathLike):
            raise AppTypeError(f"outputs[{place}] is {type(one).__name__}: give a path or a File")
        files.append(name if isinstance(name, File) else File(name))
    return files
