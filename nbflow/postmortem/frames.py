"""Own the building of a traceback from a record, for a debugger to walk through.

The frames are real ones, of code that does nothing but stop at the right line under the right name. What was
not kept is there as its picture.
"""

from __future__ import annotations

import builtins
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, final

from nbflow.wire.capsule import Moment, Variable

__all__ = ["Picture", "rebuild"]

STOP = "__nbflow_stop__"


@final
class Picture:
    """Stand for a value that was not kept; it shows what the value looked like."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


@final
class _Stop(BaseException):
    """Stop the code of a frame where it failed."""


def rebuild(
    moments: Sequence[Moment], open_value: Callable[[Variable], Any], names: Mapping[str, Any]
) -> TracebackType:
    """Return the traceback of these frames, outermost first.

    `names` are the globals of functions whose module is not imported here.
    """
    traceback: TracebackType | None = None
    for moment in reversed(moments):
        variables = {one.name: open_value(one) for one in moment.variables}
        frame, lasti = _frame(moment, _namespace(moment, names), variables)
        traceback = TracebackType(traceback, frame, lasti, moment.line)
    assert traceback is not None
    return traceback


def _namespace(moment: Moment, names: Mapping[str, Any]) -> dict[str, Any]:
    module = sys.modules.get(moment.module)
    known = {} if module is None or moment.module == "__main__" else vars(module)
    return {"__builtins__": builtins, "__name__": moment.module, **(known or names)}


def _frame(moment: Moment, namespace: dict[str, Any], variables: dict[str, Any]) -> tuple[FrameType, int]:
    before = "\n" * (moment.line - moment.first_line)
    code = compile(f"{before}raise {STOP}", _filename(moment), "exec")
    code = code.replace(co_name=moment.function, co_firstlineno=moment.first_line)
    namespace[STOP] = _Stop
    try:
        exec(code, namespace, variables)
    except _Stop as stop:
        inner = stop.__traceback__.tb_next  # type: ignore[union-attr]
        return inner.tb_frame, inner.tb_lasti  # type: ignore[union-attr]
    finally:
        del namespace[STOP]
    raise AssertionError("the code of a frame has to stop")


def _filename(moment: Moment) -> str:
    """Return a file name under which the source is found as it was when the call failed."""
    lines = moment.source.splitlines(keepends=True)
    start = moment.first_line - 1
    if not lines or linecache.getlines(moment.filename)[start : start + len(lines)] == lines:
        return moment.filename
    name = f"<{moment.filename} as it failed>"
    known = linecache.cache.get(name)
    shown = list(known[2]) if known is not None and len(known) == 4 else []
    shown += ["\n"] * (start + len(lines) - len(shown))
    shown[start : start + len(lines)] = lines
    linecache.cache[name] = (len(shown), None, shown, name)
    return name
