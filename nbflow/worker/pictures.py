"""Own how values are shown in a record of a failure: bounded, whatever they are, none of their code run.

Also which values may be pickled for it: those for whose pickling no code of a user's is run.
"""

from __future__ import annotations

import copyreg
import sys
import types
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from nbflow.wire.installed import is_in_library
from nbflow.wire.pickling import Refused
from nbflow.wire.secrecy import WITHHELD, has_secret_name

__all__ = ["check_plain", "is_safe", "picture"]

TEXT = 2_000
"""Characters of one picture."""
PART = 200
"""Characters of a text inside a picture."""
ITEMS = 20
DEPTH = 4
MOST_NODES = 20_000

_NUMBERS = frozenset((int, float, bool, complex, type(None), type(...)))
_TEXTS = frozenset((str, bytes, bytearray))
_BRACKETS: dict[type[Any], str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}
_CONTAINERS: tuple[type[Any], ...] = (*_BRACKETS, dict)
_PLAIN_ARRAYS = frozenset("biufcmMSU")
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.MethodType)
_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the type was made by a class statement."""
_PICKLING = ("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")


def picture(value: Any, name: str = "") -> str:
    """Return how a value looks, in at most 2,000 characters; secrets inside are withheld by their names."""
    if has_secret_name(name):
        return WITHHELD
    text = "".join(_bounded(_draw(value, DEPTH)))
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"


def _bounded(parts: Iterator[str]) -> Iterator[str]:
    left = TEXT + 1
    for part in parts:
        yield part
        left -= len(part)
        if left <= 0:
            return


def _draw(value: Any, depth: int) -> Iterator[str]:
    kind = type(value)
    if kind in _NUMBERS:
        yield (
            repr(value)
            if kind is not int or value.bit_length() < 2000
            else f"<int of {value.bit_length()} bits>"
        )
    elif kind in _TEXTS:
        limit = TEXT - PART if depth == DEPTH else PART
        yield repr(value[:limit]) + (f"… ({len(value):,} in all)" if len(value) > limit else "")
    elif issubclass(kind, _CONTAINERS):
        yield from _draw_container(value, kind, depth)
    elif issubclass(kind, _NAMED):
        yield f"<{kind.__name__} {getattr(value, '__qualname__', None) or value.__name__}>"
    elif (told := _array(value)) is not None:
        yield told
    else:
        yield from _draw_object(value, kind, depth)


def _draw_container(value: Any, kind: type, depth: int) -> Iterator[str]:
    base = next(one for one in kind.__mro__ if one in _CONTAINERS)  # its own methods may be a user's
    length = base.__len__(value)
    if depth == 0 and length:
        yield f"<{kind.__name__} of {length:,}>"
        return
    brackets = _BRACKETS.get(kind, "{}")
    yield brackets[0] if kind in _CONTAINERS else f"{kind.__name__}({brackets[0]}"
    items = dict.items(value) if base is dict else base.__iter__(value)
    for number, item in enumerate(list(islice(items, ITEMS))):
        yield ", " if number else ""
        yield from _draw_pair(item, depth) if base is dict else _draw(item, depth - 1)
    yield f", … {length - ITEMS:,} more" if length > ITEMS else ""
    yield brackets[1] if kind in _CONTAINERS else f"{brackets[1]})"


def _draw_pair(pair: tuple[Any, Any], depth: int) -> Iterator[str]:
    key, item = pair
    yield from _draw(key, 0)
    yield ": "
    if type(key) is str and has_secret_name(key):
        yield WITHHELD
    else:
        yield from _draw(item, depth - 1)


def _draw_object(value: Any, kind: type, depth: int) -> Iterator[str]:
    attributes = _attributes(value)
    if depth == 0 or not attributes:
        yield f"<{kind.__module__}.{kind.__qualname__}>".replace("<builtins.", "<")
        return
    yield f"{kind.__qualname__}("
    for number, (name, item) in enumerate(islice(attributes.items(), ITEMS)):
        yield f"{', ' if number else ''}{name}="
        if has_secret_name(str(name)):
            yield WITHHELD
        else:
            yield from _draw(item, depth - 1)
    yield f", … {len(attributes) - ITEMS:,} more" if len(attributes) > ITEMS else ""
    yield ")"


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an instance, as they are stored."""
    try:
        found = dict(object.__getattribute__(value, "__dict__"))
    except Exception:  # noqa: BLE001 - it has none, or hides them
        found = {}
    for kind in type(value).__mro__:
        if not kind.__flags__ & _HEAP_TYPE:
            continue
        for name, slot in list(vars(kind).items()):
            if type(slot) is types.MemberDescriptorType and slot.__objclass__ is kind:
                try:
                    found[name] = slot.__get__(value)
                except AttributeError:  # not set
                    continue
    return found


def _array(value: Any) -> str | None:
    """Show an array of numpy or a table of pandas or polars, by library code that is known to be quick."""
    kind = type(value)
    library = str(kind.__module__).partition(".")[0]
    if library not in ("numpy", "pandas", "polars") or library not in sys.modules:
        return None
    try:
        shape = "×".join(map(str, value.shape))
        if library == "numpy":
            if value.dtype.kind in _PLAIN_ARRAYS:
                return f"<{kind.__name__} {shape} {value.dtype}> {repr(value)[: PART * 4]}"
            return f"<{kind.__name__} {shape} {value.dtype}>"
        columns = ", ".join(map(str, list(getattr(value, "columns", ()))[:ITEMS]))
        return f"<{kind.__name__} {shape}{': ' if columns else ''}{columns[: PART * 4]}>"
    except Exception:  # noqa: BLE001 - a broken array has no picture, and that is all
        return f"<{kind.__name__}>"


def is_safe(value: Any) -> bool:
    """Tell whether pickling a value runs no code of a user's, is soon done, and takes no secret along."""
    nodes = 0
    seen: set[int] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind in _NUMBERS or kind in _TEXTS or id(one) in seen:
            continue
        seen.add(id(one))
        nodes += 1
        if kind in _CONTAINERS:
            nodes += len(one)
            if nodes > MOST_NODES:
                return False
            if kind is dict and _names_secret(one):
                return False
            todo.extend((*one.keys(), *one.values()) if kind is dict else one)
        elif issubclass(kind, types.FrameType | types.TracebackType | types.GeneratorType | types.ModuleType):
            return False
        elif not issubclass(
            kind, type | types.FunctionType | types.BuiltinFunctionType
        ) and not _is_of_library(kind):
            attributes = _attributes(one)
            if not _is_pickled_plainly(kind) or _names_secret(attributes):
                return False
            todo.extend(attributes.values())
        if nodes > MOST_NODES:
            return False
    return True


def check_plain(thing: Any) -> None:
    """Raise Refused for an object whose pickling runs code of a user's."""
    kind = type(thing)
    if issubclass(kind, _NAMED) or _is_of_library(kind):
        return
    if not _is_pickled_plainly(kind) or kind in copyreg.dispatch_table:
        raise Refused(f"{kind.__name__} has code of its own for pickling")


def _names_secret(names: Iterable[Any]) -> bool:
    return any(type(name) is str and has_secret_name(name) for name in names)


def _is_of_library(kind: type) -> bool:
    """Tell whether a type is Python's own or of an installed package."""
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    return kind.__module__ != "__main__" and module is not None and (file is None or is_in_library(file))


def _is_pickled_plainly(kind: type) -> bool:
    return all(getattr(kind, name, None) is getattr(object, name, None) for name in _PICKLING) or (
        issubclass(kind, BaseException)
        and all(getattr(kind, name, None) is getattr(BaseException, name, None) for name in _PICKLING)
    )
