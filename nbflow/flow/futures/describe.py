"""Own the one-line picture of a call, such as `area(100, seed=3)`: bounded, and runs no user's code."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PosixPath, WindowsPath
from typing import Any

from nbflow.data.file import File
from nbflow.flow.futures.future import DataFuture, KernelFuture
from nbflow.wire.secrecy import WITHHELD, conceal, has_secret_name

__all__ = ["describe_arguments", "describe_call", "describe_named", "describe_value"]

CALL_LIMIT = 160
VALUE_LIMIT = 48
PARTS_LIMIT = 6
LOOKED_AT = 160
"""Characters of a text that are looked at: what has the shape of a secret is not shown."""

_NUMBERS = frozenset((int, float, bool, complex, type(None)))


def describe_call(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], secret: Collection[int] = ()
) -> str:
    """Return `name(args)` in at most CALL_LIMIT characters; those at the places `secret` are withheld."""
    parts = [describe_value(value) for value in args]
    if secret:
        parts = [WITHHELD if place in secret else part for place, part in enumerate(parts)]
    if kwargs:
        parts += [f"{key}={describe_named(key, value)}" for key, value in kwargs.items()]
    text = f"{name}({', '.join(parts)})"
    return text if len(text) <= CALL_LIMIT else text[: CALL_LIMIT - 2] + "…)"


def describe_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any], secret: Collection[int]
) -> dict[str, str]:
    """Return a short picture of each argument, by place or name; those at `secret` places are withheld."""
    named = {
        str(place): WITHHELD if place in secret else describe_value(value) for place, value in enumerate(args)
    }
    return named | {name: describe_named(name, value) for name, value in kwargs.items()}


def describe_named(name: Any, value: Any, depth: int = 1) -> str:
    """Return a short picture of what has a name, unless that is the name of a secret."""
    is_secret = type(name) is str and has_secret_name(name)
    return WITHHELD if is_secret else describe_value(value, depth)


def describe_value(value: Any, depth: int = 1) -> str:
    """Return a short picture of a value, made from its type and size alone unless it is plain."""
    kind = type(value)
    if kind is int and value.bit_length() > 200:
        return f"int of {value.bit_length()} bits"
    if kind in _NUMBERS:
        return repr(value)
    if kind is str:
        value = conceal(value[:LOOKED_AT])
    if kind is str or kind is bytes:
        return repr(value) if len(value) <= VALUE_LIMIT else repr(value[: VALUE_LIMIT - 1])[:-1] + "…" + "'"
    if isinstance(value, DataFuture | File) or kind in (PosixPath, WindowsPath):
        return repr(conceal(str(value.file if isinstance(value, DataFuture) else value)))
    if isinstance(value, KernelFuture):
        return f"{value._kernel.app_name(value._task)}#{value._task.id}"
    if kind in (list, tuple, set, frozenset, dict):
        return _describe_container(value, depth)
    name = kind.__name__
    # Arrays and tables, by the attributes that numpy and pandas share.
    shape = (
        getattr(value, "shape", None)
        if str(kind.__module__).partition(".")[0] in ("numpy", "pandas", "polars")
        else None
    )
    if type(shape) is tuple:
        return f"<{name} {'×'.join(map(str, shape))}>"
    own = getattr(value, "__name__", None) if callable(value) and kind.__module__ == "builtins" else None
    return f"<{own}>" if type(own) is str else f"<{name}>"


def _describe_container(value: Any, depth: int) -> str:
    kind = type(value).__name__
    if depth <= 0 or len(value) > PARTS_LIMIT:
        return f"<{kind} of {len(value)}>"
    if isinstance(value, dict):
        # A copy: its owner may change it meanwhile, in another thread.
        pairs = list(value.items())
        inner = ", ".join(f"{describe_value(k, 0)}: {describe_named(k, v, depth - 1)}" for k, v in pairs)
        return f"{{{inner}}}"
    inner = ", ".join(describe_value(part, depth - 1) for part in tuple(value))
    match kind:
        case "list":
            return f"[{inner}]"
        case "tuple":
            return f"({inner}{',' if len(value) == 1 else ''})"
        case "set":
            return f"{{{inner}}}" if value else "set()"
        case _:
            return f"frozenset({{{inner}}})"
