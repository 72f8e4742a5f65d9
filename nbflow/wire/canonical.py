"""Own the one form in which a value is written so that equal values read equal, in every process.

It is no pickle: pickles of equal sets differ from process to process, those of equal lists with who shares
what. Types are part of the form, so 1, 1.0 and True differ. Dicts keep their order, which a function can
see; sets have none. What has no such form is refused: a value is never taken for another. Functions, classes
and modules are left to `refer`.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import operator
import os
import pathlib
import re
import struct
import sys
import types
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, final

from nbflow.errors import NotMemoizable
from nbflow.wire.installed import version_of

__all__ = ["Encoder", "memo_key"]

Refer = Callable[[Any], bytes]
"""Give the form of a function, a class or a module."""

Key = TypeVar("Key", bound=Callable[[Any], Any])

_FIELD = ("name", "default", "default_factory", "init", "repr", "compare", "kw_only")
_INLINE_NBYTES = 256
"""Longer text and bytes stand as their digest."""

_keys: dict[type, Callable[[Any], Any]] = {}


def memo_key(kind: type) -> Callable[[Key], Key]:
    """Register the decorated function as what tells values of the type `kind` apart for the cache.

    It takes a value and returns another that has a canonical form, such as a tuple of what matters. A class
    of your own may have a method `__memo_key__` instead.
    """
    if not isinstance(kind, type):
        raise TypeError(f"memo_key({kind!r}): give the type whose values it is for")

    def register(function: Key) -> Key:
        _keys[kind] = function
        return function

    return register


@final
class Encoder:
    """Write values one after the other into `out`; `nbytes` counts the bytes that were looked at."""

    __slots__ = ("_entered", "nbytes", "out", "refer")

    def __init__(self, refer: Refer) -> None:
        self.out = bytearray()
        self.refer = refer
        self.nbytes = 0
        self._entered: dict[int, int] = {}

    def put(self, value: Any) -> None:
        """Write one value. Raises NotMemoizable, with the path to what has no canonical form."""
        write = _WRITERS.get(type(value))
        if write is not None:
            write(self, value)
        elif isinstance(value, type | types.ModuleType):
            self.out += self.refer(value)
        else:
            self._put_container(value)

    def tagged(self, tag: bytes, data: bytes | bytearray | memoryview) -> None:
        """Write a tag and what follows it, so that no two pairs of both read alike."""
        nbytes = data.nbytes if isinstance(data, memoryview) else len(data)
        self.nbytes += nbytes
        if nbytes > _INLINE_NBYTES:
            data = hashlib.sha256(data).digest()
            tag += b"#"
        self.out += b"%b%d:" % (tag, nbytes)
        self.out += data

    def items(self, tag: bytes, values: Iterable[Any]) -> None:
        """Write values as the items of one whole."""
        self.out += tag
        place = 0
        try:
            for place, value in enumerate(values):  # noqa: B007 - the error below says where
                self.put(value)
        except NotMemoizable as error:
            raise error.within(f"[{place}]") from None
        self.out += b";"

    def pairs(self, tag: bytes, named: Iterable[tuple[Any, Any]], path: str = "[{!r}]") -> None:
        """Write names and their values, in order."""
        self.out += tag
        name = None
        try:
            for name, value in named:
                self.put(name)
                self.put(value)
        except NotMemoizable as error:
            raise error.within(path.format(name)) from None
        self.out += b";"

    def _put_container(self, value: Any) -> None:
        # A whole that holds itself is written as how far up it stands.
        depth = self._entered.get(id(value))
        if depth is not None:
            self.out += b"^%d;" % (len(self._entered) - depth)
            return
        self._entered[id(value)] = len(self._entered)
        try:
            _WHOLES.get(type(value), _put_other)(self, value)
        finally:
            del self._entered[id(value)]


@dataclasses.dataclass
class _Sample:
    """Have what every dataclass has."""


def _text(encoder: Encoder, value: str) -> None:
    encoder.tagged(b"s", value.encode("utf-8", "surrogatepass"))


def _atom(tag: bytes, form: Callable[[Any], str]) -> Callable[[Encoder, Any], None]:
    def write(encoder: Encoder, value: Any) -> None:
        encoder.tagged(tag, form(value).encode("utf-8", "surrogatepass"))

    return write


def _constant(text: bytes) -> Callable[[Encoder, Any], None]:
    def write(encoder: Encoder, value: Any) -> None:
        encoder.out += text

    return write


def _refer(encoder: Encoder, thing: Any) -> None:
    encoder.out += encoder.refer(thing)


def _set(encoder: Encoder, value: Any) -> None:
    # Items are sorted by what they are, with functions by name: numbers would depend on the order.
    def form(item: Any) -> bytes:
        aside = Encoder(_by_name)
        aside.put(item)
        return bytes(aside.out)

    encoder.items(b"{f" if isinstance(value, frozenset) else b"{", sorted(value, key=form))


def _by_name(thing: Any) -> bytes:
    return f"{thing.__module__}.{getattr(thing, '__qualname__', thing.__name__)}".encode()


def _time(encoder: Encoder, value: Any) -> None:
    encoder.tagged(b"t", f"{type(value).__name__} {value.isoformat()} {value.fold}".encode())
    encoder.put(value.tzinfo)


def _partial(encoder: Encoder, value: functools.partial[Any]) -> None:
    encoder.items(b"partial", (value.func, value.args, value.keywords, vars(value)))


def _method(encoder: Encoder, value: types.MethodType) -> None:
    encoder.items(b"method", (value.__func__, value.__self__))


def _builtin(encoder: Encoder, value: Any) -> None:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, types.ModuleType):
        encoder.items(b"builtin", (sys.modules.get(value.__module__ or ""), value.__qualname__))
    else:
        encoder.items(b"bound", (owner, value.__name__))


def _descriptor(encoder: Encoder, value: Any) -> None:
    encoder.items(b"descriptor", (value.__objclass__, value.__name__))


_WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    type(None): _constant(b"N"),
    type(...): _constant(b"E"),
    type(NotImplemented): _constant(b"I"),
    bool: lambda encoder, value: encoder.tagged(b"b", b"1" if value else b"0"),
    int: _atom(b"i", hex),
    float: lambda encoder, value: encoder.tagged(b"f", struct.pack("<d", value)),
    complex: lambda encoder, value: encoder.tagged(b"c", struct.pack("<dd", value.real, value.imag)),
    str: _text,
    bytes: lambda encoder, value: encoder.tagged(b"y", value),
    memoryview: lambda encoder, value: encoder.tagged(b"m", value),
    bytearray: lambda encoder, value: encoder.tagged(b"Y", value),
    range: _atom(b"r", repr),
    decimal.Decimal: _atom(b"D", repr),
    fractions.Fraction: _atom(b"F", repr),
    uuid.UUID: _atom(b"U", str),
    datetime.date: _atom(b"d", repr),
    datetime.timedelta: _atom(b"td", repr),
    datetime.timezone: _atom(b"tz", repr),
    datetime.datetime: _time,
    datetime.time: _time,
    zoneinfo.ZoneInfo: _atom(b"zi", repr),
    type(vars(_Sample)["__dataclass_params__"]): _atom(b"params", repr),
    types.FunctionType: _refer,
    types.BuiltinFunctionType: _builtin,
    types.MethodDescriptorType: _descriptor,
    types.WrapperDescriptorType: _descriptor,
}
"""By exact type: a subclass may hold more, and must not read like its base."""


_WHOLES: dict[type, Callable[[Encoder, Any], None]] = {
    list: lambda encoder, value: encoder.items(b"[", value),
    tuple: lambda encoder, value: encoder.items(b"(", value),
    dict: lambda encoder, value: encoder.pairs(b"<", value.items()),
    set: _set,
    frozenset: _set,
    slice: lambda encoder, value: encoder.items(b"slice", (value.start, value.stop, value.step)),
    types.MappingProxyType: lambda encoder, value: encoder.pairs(b"proxy", value.items()),
    collections.OrderedDict: lambda encoder, value: encoder.pairs(b"ordered", value.items()),
    collections.Counter: lambda encoder, value: encoder.pairs(b"counter", value.items()),
    collections.deque: lambda encoder, value: encoder.items(b"deque", (value.maxlen, *value)),
    collections.defaultdict: lambda encoder, value: encoder.items(
        b"default", (value.default_factory, dict(value))
    ),
    re.Pattern: lambda encoder, value: encoder.items(b"pattern", (value.pattern, value.flags)),
    functools.partial: _partial,
    types.MethodType: _method,
    property: lambda encoder, value: encoder.items(b"property", (value.fget, value.fset, value.fdel)),
    staticmethod: lambda encoder, value: encoder.items(b"static", (value.__func__,)),
    classmethod: lambda encoder, value: encoder.items(b"class", (value.__func__,)),
    functools.cached_property: lambda encoder, value: encoder.items(b"once", (value.func, value.attrname)),
    type(functools.lru_cache(len)): lambda encoder, value: encoder.items(b"cached", (value.__wrapped__,)),
    dataclasses.Field: lambda encoder, value: encoder.items(b"field", operator.attrgetter(*_FIELD)(value)),
    # Which item it gets, the class's `_fields` say.
    type(vars(collections.namedtuple("_Names", "name"))["name"]): _constant(b"getter;"),
    type(dataclasses.MISSING): _constant(b"missing;"),
    type(dataclasses.KW_ONLY): _constant(b"kw_only;"),
}


def _put_other(encoder: Encoder, value: Any) -> None:
    """Write a value whose type has no entry of its own."""
    kind = type(value)
    own = getattr(kind, "__memo_key__", None)
    known = next((_keys[base] for base in kind.__mro__ if base in _keys), own)
    if known is not None:
        encoder.items(b"key", (kind, known(value)))
    elif isinstance(value, enum.Enum):
        encoder.items(b"enum", (kind, value.name))
    elif isinstance(value, pathlib.PurePath):
        encoder.items(b"path", (kind.__name__, os.fspath(value)))
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        encoder.items(b"named", (kind, *value))
    elif dataclasses.is_dataclass(value) and not issubclass(
        kind, list | dict | set | tuple | str | int | float
    ):
        _put_dataclass(encoder, value)
    elif (parts := _table_parts(value)) is not None:
        encoder.items(b"table", parts)
    elif _is_plain(kind):
        encoder.put(kind)
        encoder.pairs(b"object", vars(value).items(), ".{}")
    else:
        raise NotMemoizable(
            f"a {kind.__module__}.{kind.__qualname__} has no canonical form; register one with "
            "nbflow.memo_key, pass it as an argument named in ignore=, or make it inside the function"
        )


class _Plain:
    """Be as large as an object that keeps all it has in its attributes."""


def _is_plain(kind: type) -> bool:
    """Tell whether instances of a class of the user's own have nothing but attributes."""
    own: Any = kind
    return (
        own.__basicsize__ == _Plain.__basicsize__
        and own.__itemsize__ == 0
        and own.__reduce_ex__ is object.__reduce_ex__
        and own.__reduce__ is object.__reduce__
        and all(base is object or version_of(base.__module__) is None for base in kind.__mro__)
    )


def _put_dataclass(encoder: Encoder, value: Any) -> None:
    names = [field.name for field in dataclasses.fields(value)]
    more = sorted(vars(value).keys() - set(names)) if hasattr(value, "__dict__") else []
    encoder.out += b"data"
    encoder.put(type(value))
    encoder.pairs(b"", ((name, getattr(value, name, None)) for name in (*names, *more)), ".{}")


def _table_parts(value: Any) -> tuple[Any, ...] | None:
    """Return what an array or a table is made of; its library is imported already, as it has a value."""
    if type(value).__module__.partition(".")[0] not in ("numpy", "pandas"):
        return None
    from nbflow.wire.tables import table_parts

    return table_parts(value)
