"""Own how the text of a cell becomes the source of a function, and that a function."""

from __future__ import annotations

import ast
import keyword
import linecache
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from nbflow.errors import AppTypeError
from nbflow.magics.template import placeholders

__all__ = ["bash_source", "define", "python_source"]

INDENT = "    "
FILES = ("inputs", "outputs")
"""Reserved arguments that a template may use without naming them as inputs."""

_numbers = count(1)


def python_source(name: str, inputs: Iterable[str], body: str) -> str:
    """Return the source of a function with this body, whose last line, if it is an expression, is its result.

    `inputs` are parameters as they stand in a signature (`n`, `seed=0`). Raises AppTypeError for an empty
    body or a name that cannot be one, SyntaxError for a body that is no Python.
    """
    parameters = _parameters(name, inputs)
    tree = ast.parse(body)
    if not tree.body:
        raise AppTypeError(f"the cell of {name} is empty: its body is what the app does")
    lines = body.split("\n")  # as the parser counts them: splitlines() also ends lines at a form feed
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        line = lines[last.lineno - 1].encode()
        lines[last.lineno - 1] = (line[: last.col_offset] + b"return " + line[last.col_offset :]).decode()
    texts = _lines_inside_texts(tree)
    indented = [line if number in texts else INDENT + line for number, line in enumerate(lines, 1)]
    return f"def {name}({', '.join(parameters)}):\n" + "\n".join(indented) + "\n"


def bash_source(name: str, inputs: Iterable[str], template: str) -> str:
    """Return the source of a function that returns the command of a template.

    Its parameters are `inputs`, or without any the names that the template asks for. Raises AppTypeError as
    `python_source` does.
    """
    template = template.strip("\n")
    if not template.strip():
        raise AppTypeError(f"the cell of {name} is empty: its text is the command")
    asked = placeholders(template)
    parameters = _parameters(name, list(inputs) or [one for one in asked if one not in FILES])
    files = [one for one in FILES if one in asked and one not in map(_name_of, parameters)]
    signature = ", ".join([*parameters, *(["*"] if files else []), *(f"{one}=()" for one in files)])
    values = ", ".join(f"{one!r}: {one}" for one in [*map(_name_of, parameters), *files])
    return (
        f"def {name}({signature}):\n"
        f"{INDENT}from nbflow.magics.template import fill\n\n"
        f"{INDENT}return fill({template!r}, {{{values}}})\n"
    )


def define(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Make the function of a source in a namespace; tracebacks and `inspect.getsource` know its text."""
    filename = f"<nbflow cell {next(_numbers)}: {name}>"
    code = compile(source, filename, "exec")
    # Without a time stamp linecache keeps the entry for good.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(code, namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def _parameters(name: str, inputs: Iterable[str]) -> list[str]:
    parameters = list(inputs)
    for one in (name, *map(_name_of, parameters)):
        if not one.isidentifier() or keyword.iskeyword(one):
            raise AppTypeError(f"{one!r} cannot be a name in Python")
    return parameters


def _name_of(parameter: str) -> str:
    return parameter.partition("=")[0].partition(":")[0].strip()


def _lines_inside_texts(tree: ast.AST) -> set[int]:
    """Return the numbers of the lines that begin inside a text: indenting them would change it."""
    return {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for number in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
