"""Own the table of what a map has given so far: parameters, state, result, one row for each task. Pure."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from nbflow.core.states import State

__all__ = ["ResultRow", "ResultTable", "parameters_of", "tabulate"]

MOST_ROWS = 2_000
MOST_TEXT = 80
NOTHING = object()
_FUTURE = re.compile(r"(\w)#(\d)")
STAND_IN = "\N{LATIN LETTER RETROFLEX CLICK}"
"""In the picture of a call `fit#3` is a future: for Python a comment begins there, but this is a letter."""

Value = int | float | str | None


@final
@dataclass(frozen=True, slots=True)
class ResultRow:
    """Hold one task's row."""

    task: int
    state: int
    cells: tuple[Value, ...]


@final
@dataclass(frozen=True, slots=True)
class ResultTable:
    """Hold the rows under their columns; the first `parameters` columns are those of the call."""

    columns: tuple[str, ...]
    parameters: int
    rows: tuple[ResultRow, ...]

    def points(self) -> tuple[str, str, list[tuple[float, float]]] | None:
        """Return names and values of the first parameter and the first result that are numbers and vary."""
        places = range(len(self.columns))
        numbers = [place for place in places if self._is_number(place)]
        across = [place for place in numbers if place < self.parameters]
        up = [place for place in numbers if place > self.parameters + 1]
        if not across or not up:
            return None
        x, y = across[0], up[0]
        pairs = [(row.cells[x], row.cells[y]) for row in self.rows]
        known = [(float(a), float(b)) for a, b in pairs if a is not None and b is not None]
        return self.columns[x], self.columns[y], known

    def _is_number(self, place: int) -> bool:
        values = [row.cells[place] for row in self.rows if row.cells[place] is not None]
        return len(set(values)) > 1 and all(isinstance(value, int | float) for value in values)


def parameters_of(source: str | None) -> list[str]:
    """Return the names of a function's parameters from its source; nothing where that is no `def`."""
    try:
        (definition,) = ast.parse(textwrap.dedent(source or "")).body
    except (SyntaxError, ValueError):
        return []
    if not isinstance(definition, ast.FunctionDef):
        return []
    taken = definition.args
    return [one.arg for one in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]


def tabulate(
    tasks: Sequence[tuple[int, int, str, float]], names: Sequence[str], result_of: Callable[[int], Any]
) -> ResultTable:
    """Make the table of tasks given as number, state, call and seconds.

    `names` are the parameters of their app; `result_of` gives the result of a task that is done, or NOTHING
    where it is not at hand.
    """
    given = [_arguments(call, names) for _, _, call, _ in tasks[:MOST_ROWS]]
    results = [
        _parts(result_of(task)) if state == State.DONE else {} for task, state, _, _ in tasks[:MOST_ROWS]
    ]
    across = tuple(dict.fromkeys(name for row in given for name in row))
    up = tuple(dict.fromkeys(name for row in results for name in row))
    rows = tuple(
        ResultRow(
            task,
            state,
            (*map(row.get, across), State(state).name.lower(), seconds or None, *map(result.get, up)),
        )
        for (task, state, _, seconds), row, result in zip(tasks, given, results, strict=False)
    )
    return ResultTable((*across, "state", "seconds", *up), len(across), rows)


def _arguments(call: str, names: Sequence[str]) -> dict[str, Value]:
    """Read the arguments from the picture of a call; the picture itself where it is not plain Python."""
    readable = _FUTURE.sub(f"\\1{STAND_IN}\\2", call)
    try:
        tree = ast.parse(readable, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {"call": call}
    if not isinstance(tree, ast.Call):
        return {"call": call}
    labels = [*names, *(f"argument {place}" for place in range(len(names), len(tree.args)))]
    plain = {label: _value(one, readable) for label, one in zip(labels, tree.args, strict=False)}
    return plain | {word.arg: _value(word.value, readable) for word in tree.keywords if word.arg}


def _value(node: ast.expr, call: str) -> Value:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = ast.get_source_segment(call, node)
    return _shown(value.replace(STAND_IN, "#") if isinstance(value, str) else value)


def _parts(result: Any) -> dict[str, Value]:
    """Return a result as columns: a dict of plain values has one for each key."""
    if result is NOTHING:
        return {}
    if type(result) is dict and all(type(key) is str for key in result) and len(result) <= 20:
        return {f"result {key}": _shown(value) for key, value in result.items()}
    if type(result) is tuple and 1 < len(result) <= 6:
        return {f"result {place}": _shown(value) for place, value in enumerate(result)}
    return {"result": _shown(result)}


def _shown(value: Any) -> Value:
    """Return a number or text as it is, a number of numpy as one, anything else by its type alone."""
    kind = type(value)
    if kind in (int, float):
        return value if abs(value) < 1e300 else str(value)
    if kind in (bool, type(None), complex):
        return repr(value)
    if kind is str:
        return value if len(value) <= MOST_TEXT else f"{value[:MOST_TEXT]}…"
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return _shown(value.item())
    length = f" of {len(value)}" if kind in (list, tuple, dict, set, bytes) else ""
    return f"<{kind.__name__}{length}>"
