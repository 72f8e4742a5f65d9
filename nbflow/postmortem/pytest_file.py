"""Own the writing of a pytest file from a failed call: plain Python as far as that says all."""

from __future__ import annotations

import ast
import base64
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbflow.errors import NoCapsule
from nbflow.postmortem.frames import Picture
from nbflow.wire.capsule import CallRecord, pack
from nbflow.wire.reach import global_names
from nbflow.wire.references import address

__all__ = ["write_test"]

LITERAL_LENGTH = 500
PACKED_NBYTES = 512 * 1024
WIDTH = 100


def write_test(call: CallRecord, fn: Callable[..., Any] | None, arguments: Mapping[str, Any]) -> str:
    """Return the text of a test that makes this call. Raises NoCapsule when there is no way to write it.

    What has no literal goes along packed. What was not kept is left for a person to fill in.
    """
    names = _names(fn)
    missing = [name for name, value in arguments.items() if isinstance(value, Picture)]
    imports = {_import(name, value) for name, value in names.items()}
    body = [_assigned(name, value) for name, value in names.items() if not _import(name, value)]
    body += ["", "", _definition(call, fn), "", "", f"def test_{call.app}_{call.task}():"]
    if missing:
        body.append(f"    pytest.skip({'not kept, fill in: ' + ', '.join(missing)!r})")
        imports.add("import pytest")
    body += [f"    {_identifier(name)} = {_written(value)}" for name, value in arguments.items()]
    body.append(f"    {call.app}({', '.join(_passed(call))})")
    if any("unpack(" in line for line in body):
        imports |= _UNPACKING
    ordered = sorted((line for line in imports if line), key=lambda line: (line.startswith("from"), line))
    return "\n".join([*_head(call), *ordered, "", *body]) + "\n"


def reached(fn: Any) -> list[types.FunctionType]:
    """Return a function and those that it reaches, as far as they go by value."""
    found: dict[int, types.FunctionType] = {}
    todo = [fn]
    while todo:
        one = todo.pop()
        if isinstance(one, types.FunctionType) and id(one) not in found and address(one) is None:
            found[id(one)] = one
            names = global_names(one.__code__)
            todo.extend(one.__globals__[name] for name in names if name in one.__globals__)
    return list(found.values())


_UNPACKING = {"import base64", "from nbflow.wire.capsule import unpack"}


def _head(call: CallRecord) -> Iterator[str]:
    yield f'"""Task {call.task} of run {call.run}: {call.app} failed.'
    yield ""
    yield "\n".join(textwrap.wrap(call.last_words.replace("\\", "\\\\").replace('"""', "'''"), WIDTH))
    yield "It fails here as it did there, and passes once the function is mended."
    yield '"""'
    yield ""


def _definition(call: CallRecord, fn: Callable[..., Any] | None) -> str:
    """Return the source of the function, or what imports it."""
    found = None if fn is None else address(fn)
    if found is not None:
        module, path, is_app = found
        first, dot, rest = path.partition(".")
        meant = f"{first}{dot}{rest}{'.fn' if is_app else ''}"
        return f"from {module} import {first}\n\n{call.app} = {meant}"
    source = _without_decorators(call.source)
    if source is None:
        raise NoCapsule(f"the source of {call.app} was not found, so no test can be written of it")
    return source


def _without_decorators(source: str) -> str | None:
    """Return the definition in a source, None when there is none."""
    try:
        tree = ast.parse(textwrap.dedent(source))
    except SyntaxError:
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return "\n".join(textwrap.dedent(source).splitlines()[node.lineno - 1 : node.end_lineno])
    return None


def _names(fn: Callable[..., Any] | None) -> dict[str, Any]:
    """Return the globals that a function refers to, directly or not; those that others need come first."""
    found: dict[str, Any] = {}
    for one in reached(fn):
        for name in global_names(one.__code__):
            if name in one.__globals__ and one.__globals__[name] is not fn:
                found[name] = one.__globals__[name]
    return dict(sorted(found.items(), key=lambda item: isinstance(item[1], types.FunctionType)))


def _assigned(name: str, value: Any) -> str:
    """Return what defines a name: a helper by its source, so that it can be mended too."""
    if isinstance(value, types.FunctionType) and value.__name__ == name:
        try:
            source = _without_decorators(inspect.getsource(value))
        except (OSError, TypeError):
            source = None
        if source is not None:
            return f"\n\n{source}"
    return f"{name} = {_written(value)}"


def _import(name: str, value: Any) -> str | None:
    """Return the statement that imports a value under a name; None for one that has to be written out."""
    if isinstance(value, types.ModuleType):
        module = value.__name__
        return f"import {module}" if module == name else f"import {module} as {name}"
    found = address(value) if isinstance(value, type | types.FunctionType) else None
    if found is None or "." in found[1] or found[2]:
        return None
    return (
        f"from {found[0]} import {name}"
        if found[1] == name
        else f"from {found[0]} import {found[1]} as {name}"
    )


def _written(value: Any) -> str:
    """Return an expression that gives the value."""
    if isinstance(value, Picture):
        return f"...  # {' '.join(repr(value).split())[:LITERAL_LENGTH]}"
    text = repr(value) if type(value) in _LITERALS else ""
    if text and len(text) <= LITERAL_LENGTH:
        try:
            if ast.literal_eval(text) == value:
                return text
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    try:
        packed = base64.b64encode(pack(value, PACKED_NBYTES)).decode()
    except Exception:  # noqa: BLE001 - whatever keeps it from travelling: a person has to fill it in
        return f"...  # {type(value).__name__}: fill it in"
    return f'unpack(base64.b64decode("{packed}"))'


_LITERALS = frozenset((int, float, bool, complex, str, bytes, type(None), list, tuple, dict, set))


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "argument_" + "".join(filter(str.isdigit, name))


def _passed(call: CallRecord) -> Iterator[str]:
    for place, one in enumerate(call.arguments):
        yield _identifier(one.name) if place < call.places else f"{one.name}={one.name}"
