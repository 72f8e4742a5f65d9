"""Own the normalised syntax of a function: what it says, without how and where it is written.

Comments, docstrings, annotations, formatting and positions are left out. A source that is not what the code
was made of (a file that was edited and not reloaded) is never believed: then, and where there is none, the
bytecode stands for it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import sys
import textwrap
import tokenize
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

__all__ = ["Syntax", "syntax_of"]

Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_LEFT_OUT = frozenset(("annotation", "returns", "type_comment", "type_params", "ctx", "kind"))
_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LEAVES = frozenset((str, int, type(None)))
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
_KNOWN_CODES = 20_000
_TEXT_LENGTH = 4_000


@final
@dataclass(frozen=True, slots=True)
class Syntax:
    """Tell what a function says: its digest, and its source for people (bounded; empty without one)."""

    digest: bytes
    text: str


_known: dict[Any, Syntax] = {}


def syntax_of(code: types.CodeType) -> Syntax:
    """Return the syntax of a function's code; equal code is looked at once in the life of the process."""
    key = _meaning(code)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _KNOWN_CODES:
            _known.clear()
        found = _known[key] = _from_source(code, key) or _from_bytecode(key)
    return found


def _meaning(code: types.CodeType) -> tuple[Any, ...]:
    """Return all of a code object but where it was written. Constants go with their type: 1 equals True."""
    return (
        code.co_name,
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        code.co_exceptiontable,
        *map(_constant, code.co_consts),
    )


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _meaning(value)
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    if isinstance(value, frozenset):
        return frozenset(map(_constant, value))
    return type(value).__name__, repr(value)  # repr tells -0.0 from 0.0, and a NaN is equal to itself


def _from_bytecode(meaning: tuple[Any, ...]) -> Syntax:
    version = ".".join(map(str, sys.version_info[:2]))
    return Syntax(hashlib.sha256(f"bytecode {version} {_ordered(meaning)!r}".encode()).digest(), "")


def _ordered(value: Any) -> Any:
    """Give sets an order, which differs from process to process."""
    if isinstance(value, frozenset):
        return sorted(map(repr, map(_ordered, value)))
    return tuple(map(_ordered, value)) if isinstance(value, tuple) else value


def _from_source(code: types.CodeType, meaning: tuple[Any, ...]) -> Syntax | None:
    source = _source(code.co_filename)
    if not source.codes:
        source = _read(code.co_filename, _block(source.lines, code.co_firstlineno))
    place = code.co_firstlineno, code.co_name
    nodes = source.nodes.get(place, [])
    made = (*place, meaning)
    if len(nodes) != 1 or not (made in source.codes or made in _codes_of_statement(source, place[0])):
        return None
    node = nodes[0]
    out: list[str] = []
    _flatten_function(node, out)
    text = "".join(source.lines[code.co_firstlineno - 1 : node.end_lineno])[:_TEXT_LENGTH]
    return Syntax(hashlib.sha256("\0".join(out).encode("utf-8", "surrogatepass")).digest(), text)


@final
@dataclass(frozen=True, slots=True)
class _Source:
    """Hold a source: its functions by first line and name, and the code that it makes."""

    lines: list[str]
    statements: list[ast.stmt]
    nodes: dict[tuple[int, str], list[Node]]
    codes: set[tuple[Any, ...]]


_sources: dict[str, _Source] = {}


def _source(filename: str) -> _Source:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    known = _sources.get(filename)
    if known is None or known.lines is not lines:
        known = _sources[filename] = _read(filename, lines)
    return known


def _codes_of_statement(source: _Source, line: int) -> set[tuple[Any, ...]]:
    """Return the code that the statement around a line makes when it is compiled by itself, as IPython does.

    It may differ: the compiler looks at what the same source imports.
    """
    for statement in source.statements:
        if statement.end_lineno is not None and line <= statement.end_lineno:
            alone = ast.Module([statement], [])
            return set(
                _codes(compile(alone, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True))
            )
    return set()


def _block(lines: list[str], first: int) -> list[str]:
    """Return the lines of one definition in its place: in a cell with magics, the rest is no Python."""
    try:
        block = inspect.getblock(lines[first - 1 :])
    except (SyntaxError, tokenize.TokenError):
        return []
    return ["\n"] * (first - 1) + textwrap.dedent("".join(block)).splitlines(keepends=True)


def _read(filename: str, lines: list[str]) -> _Source:
    text = "".join(lines)
    try:
        tree = ast.parse(text)
        module = compile(tree, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return _Source(lines, [], {}, set())
    nodes: dict[tuple[int, str], list[Node]] = {}
    has_lambdas = "lambda" in text
    for node in ast.walk(tree) if has_lambdas else _statements(tree):
        if isinstance(node, Node):
            decorators = getattr(node, "decorator_list", ())
            first = min(one.lineno for one in (node, *decorators))
            nodes.setdefault((first, getattr(node, "name", "<lambda>")), []).append(node)
    return _Source(lines, tree.body, nodes, set(_codes(module)))


def _codes(code: types.CodeType) -> Iterator[tuple[Any, ...]]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant.co_firstlineno, constant.co_name, _meaning(constant)
            yield from _codes(constant)


def _statements(tree: Any) -> Iterator[ast.AST]:
    """Yield the statements of a source, at any depth, which is a fifth of the work of `ast.walk`."""
    for name in _BODIES:
        for statement in getattr(tree, name, ()):
            yield statement
            yield from _statements(statement)


def _flatten_function(node: Node, out: list[str]) -> None:
    """Write the function itself: its decorators have been applied, its defaults are values by now."""
    out.append(type(node).__name__)
    arguments = node.args
    for group in (
        arguments.posonlyargs,
        arguments.args,
        [arguments.vararg],
        arguments.kwonlyargs,
        [arguments.kwarg],
    ):
        out.append("(")
        out.extend(one.arg for one in group if one is not None)
    _flatten(node.body if isinstance(node, ast.Lambda) else _without_docstring(node.body), out)


def _flatten(value: Any, out: list[str]) -> None:
    kind = type(value)
    if kind in _LEAVES:  # most there are
        out.append(repr(value))
    elif kind is list:
        out.append("[")
        for item in value:
            _flatten(item, out)
        out.append("]")
    elif kind is ast.Name:
        out.append(f"Name {value.id}")
    elif kind is ast.Constant:
        out.append(f"{type(value.value).__name__} {value.value!r}")
    elif kind is ast.AnnAssign and value.value is not None:
        _flatten(ast.Assign([value.target], value.value), out)
    elif (names := _FIELDS[kind]) is None:
        out.append(repr(value))
    else:
        out.append(kind.__name__)
        for name in names:
            _flatten(getattr(value, name, None), out)
        if kind in _DEFINES:
            _flatten_body(value, out)


def _flatten_body(node: Any, out: list[str]) -> None:
    body = _without_docstring(node.body)
    _flatten(body, out)
    if type(node) is ast.ClassDef:
        # In a class, annotations make the fields of a dataclass.
        out.extend(ast.dump(one.annotation) for one in body if type(one) is ast.AnnAssign)


class _Fields(dict[type, "tuple[str, ...] | None"]):
    """Know which fields of a node count; None for what is no node."""

    def __missing__(self, kind: type) -> tuple[str, ...] | None:
        names = None
        if issubclass(kind, ast.AST):
            left_out = _LEFT_OUT | {"body"} if kind in _DEFINES else _LEFT_OUT
            names = tuple(name for name in kind._fields if name not in left_out)
        self[kind] = names
        return names


_FIELDS = _Fields()


def _without_docstring(body: Any) -> Any:
    first = body[0] if body else None
    is_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if is_docstring else body
