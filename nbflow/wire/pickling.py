"""Own how single objects are pickled and read: what plain pickle refuses, and what must never travel.

The C pickler is used first, dill for what it cannot do. Functions and classes that go by value are handed to
`refer`, which gives them a name; `Loader` asks `resolve` for what such a name means. Refuses to know who
asks.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import io
import marshal
import pickle
import socket
import threading
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, final

from nbflow.wire import shapes
from nbflow.wire.references import address, fetch, module_name

__all__ = [
    "LARGE",
    "SENTINELS",
    "Loader",
    "Refer",
    "Refused",
    "TooLarge",
    "dump",
    "dump_small",
    "named",
    "pass_all",
]

LARGE = 1 << 16
"""Buffers of at least so many bytes travel out of band."""

Reduced = tuple[Any, ...]
Refer = Callable[[Any], Any]
"""Give a function or class that goes by value the name under which the other side knows it."""
BufferCallback = Callable[[pickle.PickleBuffer], Any]
Buffer = bytes | bytearray | memoryview


@final
class Refused(pickle.PicklingError):
    """Say why something must not travel although it could be forced to."""


@final
class TooLarge(Exception):
    """Say that a pickle would have more bytes than it may."""


def named(name: Any) -> Any:
    """Stand in a pickle for what a name means; only a `Loader` knows."""
    raise pickle.UnpicklingError(f"{name!r} means something to nbflow only")


@functools.lru_cache(maxsize=1024)
def _marshal(code: types.CodeType, filename: str) -> bytes:
    """Return the bytes of `code`: always the same ones, which `marshal` alone does not promise.

    `filename` tells code apart that is equal but for the file that it came from.
    """
    return marshal.dumps(code)


def _module(module: types.ModuleType) -> Reduced:
    name = module_name(module)
    if name is None:
        raise Refused(f"the module {module.__name__!r} cannot be imported by its name")
    return importlib.import_module, (name,)


def _cached(fn: Any) -> Any:
    if address(fn) is not None:
        return NotImplemented
    return shapes.cached, (fn.__wrapped__, fn.cache_parameters())


def _type_variable(it: typing.TypeVar) -> Any:
    if it.__module__ != "__main__":
        return NotImplemented
    kinds = {"bound": it.__bound__, "covariant": it.__covariant__, "contravariant": it.__contravariant__}
    return shapes.type_variable, (it.__name__, it.__constraints__, kinds)


def _refuse(why: str) -> Callable[[Any], Reduced]:
    def refuse(value: Any) -> Reduced:
        raise Refused(f"{_a(type(value))} {why}")

    return refuse


def _a(kind: type) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.").removeprefix("_")
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


_GUARD = _refuse("guards this process only: make it inside the function")
_OPEN = _refuse("is open in this process only: pass its path or address and open it inside the function")
_RUNNING = _refuse("runs in this process only: pass what it gives, for example as a list")

_REDUCERS: dict[type, Callable[[Any], Any]] = {
    types.CodeType: lambda code: (marshal.loads, (_marshal(code, code.co_filename),)),
    types.MappingProxyType: lambda proxy: (types.MappingProxyType, (dict(proxy),)),
    types.ModuleType: _module,
    classmethod: lambda method: (classmethod, (method.__func__,)),
    staticmethod: lambda method: (staticmethod, (method.__func__,)),
    property: lambda it: (property, (it.fget, it.fset, it.fdel, it.__doc__)),
    functools.cached_property: lambda it: (shapes.cached_property, (it.func, it.attrname)),
    type(functools.lru_cache(len)): _cached,
    typing.TypeVar: _type_variable,
    type(threading.Lock()): _GUARD,
    type(threading.RLock()): _GUARD,
    threading.Condition: _GUARD,
    threading.Event: _GUARD,
    threading.Semaphore: _GUARD,
    threading.BoundedSemaphore: _GUARD,
    threading.Thread: _RUNNING,
    types.GeneratorType: _RUNNING,
    types.CoroutineType: _RUNNING,
    types.AsyncGeneratorType: _RUNNING,
    types.FrameType: _RUNNING,
    types.TracebackType: _RUNNING,
    io.TextIOWrapper: _OPEN,
    io.BufferedReader: _OPEN,
    io.BufferedWriter: _OPEN,
    io.BufferedRandom: _OPEN,
    io.FileIO: _OPEN,
    socket.socket: _OPEN,
}

SENTINELS = {
    id(value): name
    for name, value in vars(dataclasses).items()
    if type(value).__module__ == "dataclasses" and not isinstance(value, type)
}
"""Objects that dataclasses compare by identity, so they go by name."""


def _reduce(thing: Any, refer: Refer) -> Any:
    """Return how `thing` is pickled, or NotImplemented for the usual way. Raises Refused."""
    if isinstance(thing, type | types.FunctionType):
        found = address(thing)
        if found is None:
            return refer(thing) if _is_ours(thing) else NotImplemented
        return (fetch, found[:2]) if found[2] else NotImplemented
    reducer = _REDUCERS.get(type(thing))
    if reducer is not None:
        return reducer(thing)
    if id(thing) in SENTINELS:
        return getattr, (dataclasses, SENTINELS[id(thing)])
    return NotImplemented


def _is_ours(thing: type | types.FunctionType) -> bool:
    """Leave the types without a name in any module (of None, of functions) to the picklers."""
    return not isinstance(thing, type) or bool(thing.__flags__ & _HEAP_TYPE)


_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the type was made by a class statement."""


@final
class _Fast(pickle.Pickler):
    """Pickle in C, with the reducers of this module."""

    def __init__(self, file: io.BytesIO, refer: Refer, buffer_callback: BufferCallback | None) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._refer = refer

    def reducer_override(self, thing: Any) -> Any:
        return _reduce(thing, self._refer)


@functools.cache
def _thorough() -> type[Any]:
    """Return the pickler of last resort, made on demand: importing dill takes longer than most calls."""
    import dill

    class Thorough(dill.Pickler):  # type: ignore[misc]
        """Pickle with dill what the C pickler refuses, with the reducers of this module before dill's own."""

        def __init__(self, file: io.BytesIO, refer: Refer, buffer_callback: BufferCallback | None) -> None:
            super().__init__(file, protocol=5, buffer_callback=buffer_callback, recurse=True, byref=False)
            self._refer = refer

        def reducer_override(self, thing: Any) -> Any:
            return _reduce(thing, self._refer)

    return Thorough


def dump(value: Any, refer: Refer, buffers: list[memoryview] | None = None) -> bytes:
    """Pickle `value`, large buffers into `buffers` when given. Raises whatever its own code raises."""
    try:
        return _dump(_Fast, value, refer, buffers)
    except Refused:
        raise
    except (pickle.PicklingError, TypeError, AttributeError):
        kind = _thorough()
    return _dump(kind, value, refer, buffers)


@final
class _Bounded(io.BytesIO):
    """Take no more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def write(self, data: Any) -> int:
        self.take(memoryview(data).nbytes)
        return super().write(data)

    def take(self, nbytes: int) -> None:
        """Count bytes that are about to be written. Raises TooLarge."""
        self._left -= nbytes
        if self._left < 0:
            raise TooLarge


@final
class _Careful(pickle.Pickler):
    """Pickle in C what `check` lets pass, which is shown each object before its own code can run."""

    def __init__(
        self,
        file: io.BytesIO,
        refer: Refer,
        buffer_callback: BufferCallback,
        check: Callable[[Any], object],
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._refer = refer
        self._check = check

    def reducer_override(self, thing: Any) -> Any:
        self._check(thing)
        return _reduce(thing, self._refer)


def pass_all(thing: Any) -> None:
    """Let any object be pickled."""


def dump_small(value: Any, refer: Refer, limit: int, check: Callable[[Any], object] = pass_all) -> bytes:
    """Pickle `value` into at most `limit` bytes, without copying what is larger, and never with dill.

    `check` may raise for an object that shall not be pickled. Raises TooLarge, or whatever its own
    code raises.
    """
    file = _Bounded(limit)

    def measure(buffer: pickle.PickleBuffer) -> bool:
        with memoryview(buffer) as view:
            if view.nbytes > limit:
                raise TooLarge
        return True

    _Careful(file, refer, measure, check).dump(value)
    return file.getvalue()


def _dump(kind: type[Any], value: Any, refer: Refer, buffers: list[memoryview] | None) -> bytes:
    file = io.BytesIO()
    if buffers is None:
        kind(file, refer, None).dump(value)
        return file.getvalue()
    buffers.clear()
    kind(file, refer, functools.partial(_keep_in_band, buffers)).dump(value)
    return file.getvalue()


def _keep_in_band(buffers: list[memoryview], buffer: pickle.PickleBuffer) -> bool:
    """Tell whether a buffer is better copied into the pickle."""
    with memoryview(buffer) as view:
        if view.nbytes < LARGE or not view.contiguous:
            return True
    buffers.append(buffer.raw())
    return False


@final
class Loader(pickle.Unpickler):
    """Read a pickle of `dump`. `resolve` knows names; `adopt` is shown each shell before it is filled."""

    def __init__(
        self,
        data: Buffer,
        buffers: Iterable[Buffer],
        resolve: Callable[[Any], Any],
        adopt: Callable[[Any], None] | None = None,
    ) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self._resolve = resolve
        self._adopt = adopt

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle refers to. Raises ImportError or AttributeError."""
        if module == __name__ and name == "named":
            return self._resolve
        found = super().find_class(module, name)
        if module == shapes.__name__ and found in shapes.SHELLS:
            return functools.partial(self._make, found)
        return found

    def _make(self, shell: Callable[..., Any], *args: Any) -> Any:
        made = shell(*args)
        if self._adopt is not None:
            self._adopt(made)
        return made
