"""Own what a callable reaches, part by part, and the watch that tells when any of it has changed.

Refuses to know about versions and tokens.
"""

from __future__ import annotations

import dis
import functools
import types
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, final

from nbflow.wire import shapes
from nbflow.wire.blame import cause_of, not_picklable
from nbflow.wire.pickling import SENTINELS, dump, named
from nbflow.wire.references import address
from nbflow.wire.shapes import EMPTY

__all__ = ["ABSENT", "ATOMS", "SMALL", "Part", "Watch", "global_names", "is_light", "survey"]

SMALL = 1 << 16
"""Values of at most so many pickled bytes are compared by content, larger ones by identity."""

ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)))
"""Types whose values never change and refer to nothing."""

_KNOWN_BY_NAME = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
_TABLES = frozenset(("_field_defaults", "_abc_impl"))
"""Class attributes that Python keeps for itself."""
_CONTAINERS = (list, dict, set)
_GLOBALS = frozenset(("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME"))
ABSENT = object()
"""Stands for the value of a name that has none."""

Pieces = Mapping[str, Any]
"""What a part is made of, by the path of each piece."""


@final
class Part:
    """Hold one function, class or value that is reached, pickled; `needs` are what its pickle numbers."""

    __slots__ = ("_numbers", "needs", "path", "paths", "payload", "thing")

    def __init__(self, thing: Any, path: str) -> None:
        self.thing = thing
        self.path = path
        self.payload = b""
        self.needs: list[Any] = []
        self.paths: dict[int, str] = {}
        self._numbers: dict[int, int] = {}

    @classmethod
    def of(cls, thing: Any, payload: bytes, needs: list[Any]) -> Part:
        """Return a part that was pickled before."""
        part = cls(thing, "")
        part.payload, part.needs = payload, needs
        return part

    def refer(self, thing: Any) -> tuple[Any, ...]:
        """Number a thing that this part needs; return how its place is pickled."""
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self.needs)
            self.needs.append(thing)
        return named, (number,)

    def place(self, value: Any, path: str) -> Any:
        """Return what stands for a value in this part: itself, or the number of a part of its own."""
        if _is_inline(value):
            return value
        self.paths.setdefault(id(value), path)
        return shapes.Place(self.refer(value))

    def encode(self, value: Any, pieces: Pieces) -> None:
        """Pickle this part as `value`. Raises NotPicklable, which names the piece that cannot travel."""
        try:
            self.payload = dump(value, self.refer)
        except Exception as error:  # noqa: BLE001 - it is told, and kept where a user's code raised it
            path = next((path for path, piece in pieces.items() if not _travels(piece)), self.path)
            raise not_picklable(error, path, pieces.get(path, self.thing), _travels) from cause_of(error)

    def is_unchanged(self) -> bool:
        """Tell whether the value would be pickled the same way again."""
        again = Part(self.thing, self.path)
        try:
            _encode_class(again, Watch()) if isinstance(self.thing, type) else _encode_value(again)
        except Exception:  # noqa: BLE001 - it has changed if it no longer travels; the next survey says how
            return False
        return again.payload == self.payload and list(map(id, again.needs)) == list(map(id, self.needs))


def _travels(value: Any) -> bool:
    try:
        dump(value, lambda thing: (named, (0,)))
    except Exception:  # noqa: BLE001 - the answer is no, whatever its code raises
        return False
    return True


def _is_inline(value: Any) -> bool:
    """Tell whether a value belongs to whoever refers to it: it never changes, or it has a name."""
    kind = type(value)
    if kind in ATOMS or isinstance(value, _KNOWN_BY_NAME) or id(value) in SENTINELS:
        return True
    return kind in (tuple, frozenset) and all(map(_is_inline, value))


def _is_steady(value: Any) -> bool:
    """Tell whether a value is taken not to change in place: as methods, properties, caches."""
    return _is_inline(value) or hasattr(type(value), "__get__")


@final
class Watch:
    """Remember what was seen, by identity where that is enough, and tell whether it is still so."""

    __slots__ = ("cells", "classes", "functions", "names", "values")

    def __init__(self) -> None:
        self.names: list[tuple[dict[str, Any], str, Any]] = []
        self.functions: list[tuple[types.FunctionType, types.CodeType, Any]] = []
        self.cells: list[tuple[types.CellType, Any]] = []
        self.classes: list[tuple[type, dict[str, Any]]] = []
        self.values: list[Part] = []

    def holds(self) -> bool:
        """Tell whether nothing has changed; small mutable values are pickled again for it."""
        for namespace, name, value in self.names:
            if namespace.get(name, ABSENT) is not value:
                return False
        for fn, code, defaults in self.functions:
            if fn.__code__ is not code or fn.__defaults__ is not defaults:
                return False
        for cell, value in self.cells:
            if _content(cell) is not value:
                return False
        return not (self.classes or self.values) or self._hold_contents()

    def _hold_contents(self) -> bool:
        return all(_is_same(cls, attributes) for cls, attributes in self.classes) and all(
            part.is_unchanged() for part in self.values
        )


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def _is_same(cls: type, attributes: dict[str, Any]) -> bool:
    now = cls.__dict__
    return len(now) == len(attributes) and all(now.get(name) is value for name, value in attributes.items())


def survey(root: Any, path: str, recall: Callable[[Any], Part | None]) -> tuple[dict[int, Part], Watch]:
    """Return all that `root` reaches, by id and root first, and a watch over it. Raises NotPicklable.

    `recall` may return the part of a large value that is taken as unchanged.
    """
    parts: dict[int, Part] = {}
    watch = Watch()
    waiting = deque(((root, path),))
    while waiting:
        thing, path = waiting.popleft()
        if id(thing) in parts:
            continue
        part = parts[id(thing)] = recall(thing) or _take_apart(thing, path, watch)
        waiting.extend((need, part.paths.get(id(need)) or _name(need)) for need in part.needs)
    return parts, watch


def is_light(root: Any, limit: int) -> bool:
    """Tell whether nothing that a function or class reaches is, by its length, larger than `limit`.

    Looks at sizes only: what a table holds is not counted.
    """
    seen: set[int] = set()
    todo = [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.FunctionType):
            if address(thing) is None:
                names = global_names(thing.__code__)
                todo.extend(thing.__globals__[name] for name in names if name in thing.__globals__)
                todo.extend(map(_content, thing.__closure__ or ()))
        elif isinstance(thing, type):
            todo.extend(vars(thing).values() if address(thing) is None else ())
        elif _length(thing) > limit:
            return False
    return True


def _length(thing: Any) -> int:
    nbytes = getattr(thing, "nbytes", 0) if type(thing).__module__ == "numpy" else 0
    return int(nbytes) or (len(thing) if isinstance(thing, (*_CONTAINERS, str, bytes, tuple)) else 0)


def _name(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__name__))


def _take_apart(thing: Any, path: str, watch: Watch) -> Part:
    part = Part(thing, path)
    if isinstance(thing, type | types.FunctionType):
        if address(thing) is not None:
            part.encode(thing, {})
        elif isinstance(thing, type):
            _encode_class(part, watch)
        else:
            _encode_function(part, watch)
    else:
        _encode_value(part)
        if len(part.payload) <= SMALL and not _is_steady(thing):
            watch.values.append(part)
    return part


def _encode_function(part: Part, watch: Watch) -> None:
    fn: types.FunctionType = part.thing
    pieces: dict[str, Any] = {}

    def place(value: Any, path: str) -> Any:
        pieces[path] = value
        return part.place(value, path)

    watch.functions.append((fn, fn.__code__, fn.__defaults__))
    names = {}
    for name in global_names(fn.__code__):
        value = fn.__globals__.get(name, ABSENT)
        watch.names.append((fn.__globals__, name, value))
        if value is not ABSENT:
            names[name] = place(value, f"{part.path}.__globals__[{name!r}]")
    cells = []
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        value = _content(cell)
        watch.cells.append((cell, value))
        cells.append(place(value, f"{part.path}.__closure__[{name!r}]"))
    defaults = fn.__defaults__ and tuple(
        place(value, f"{part.path}.__defaults__[{number}]") for number, value in enumerate(fn.__defaults__)
    )
    keywords = fn.__kwdefaults__ and {
        name: place(value, f"{part.path}.__kwdefaults__[{name!r}]")
        for name, value in fn.__kwdefaults__.items()
    }
    pieces |= {f"{part.path}.{name}": value for name, value in fn.__dict__.items()}
    state = shapes.function_state(fn, names, cells, defaults, keywords)
    part.encode(shapes.Shape(*shapes.function_maker(fn), state, shapes.fill_function), pieces)


def _encode_class(part: Part, watch: Watch) -> None:
    cls: type = part.thing
    watch.classes.append((cls, dict(cls.__dict__)))
    make, args, attributes = shapes.class_state(cls)
    pieces = {f"{part.path}.{name}": value for name, value in attributes.items()}
    part.encode(shapes.Shape(make, args, attributes, shapes.fill_class), pieces)
    if any(_changes(name, value) for name, value in attributes.items()):
        watch.values.append(part)


def _changes(name: str, value: Any) -> bool:
    """Tell whether a class attribute may change in place; Python's own tables are left alone."""
    return not name.startswith("__") and name not in _TABLES and not _is_steady(value)


def _encode_value(part: Part) -> None:
    value = part.thing
    kind = type(value)
    if kind in _CONTAINERS:
        content = shapes.container_content(value)
        part.encode(
            shapes.Shape(shapes.container_shell, (kind,), content, shapes.fill_container), {part.path: value}
        )
    else:
        part.encode(value, {part.path: value})


@functools.lru_cache(maxsize=1024)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """Return the globals that code refers to, in nested functions too, in the order of their use."""
    found = {
        instruction.argval: None
        for instruction in dis.get_instructions(code)
        if instruction.opname in _GLOBALS
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(global_names(constant)))
    return tuple(found)
