"""Own the identity of code: what a function says and all that it reaches, part by part.

A function reaches the globals, closure variables and defaults that it refers to; through functions and
classes of the notebook or the project whatever those reach; of what is installed, the version. Things are
numbered in the order in which they are met, so that recursion needs no care and nothing depends on where
objects lie in memory. Blind spots, as for every static look: names made at run time (getattr with a computed
name, eval) and files that are read behind our back.
"""

from __future__ import annotations

import hashlib
import threading
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, final

from nbflow.errors import NotMemoizable
from nbflow.wire import shapes
from nbflow.wire.bytecode import references_of
from nbflow.wire.canonical import Encoder
from nbflow.wire.functions import era
from nbflow.wire.installed import version_of
from nbflow.wire.reach import ABSENT, ATOMS, SMALL, Watch
from nbflow.wire.references import address
from nbflow.wire.secrecy import WITHHELD, conceal, conceal_source, has_secret_name
from nbflow.wire.syntax import syntax_of

__all__ = ["CodePart", "Fingerprint", "Fingerprinter", "form_of"]

_TEXT_LENGTH = 200
_FORM_LENGTH = 64
"""A longer form of an argument is replaced by its digest."""

_BUILT_BY_PYTHON = frozenset(
    (
        "__annotations__",
        "__firstlineno__",
        "__static_attributes__",
        "__parameters__",
        "__match_args__",
        "__hash__",
    )
)


class CodePart(NamedTuple):
    """Be one thing that code reaches: its name, what tells it from others (hexadecimal), how it reads."""

    name: str
    digest: str
    text: str


@final
@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tell code from other code by `digest`; `parts` say what went into it, the function itself first."""

    digest: bytes
    parts: tuple[CodePart, ...]


@final
class Fingerprinter:
    """Follow one function, and give its fingerprint whenever it is asked for."""

    __slots__ = ("_fn", "_lock", "_state")

    def __init__(self, fn: Any) -> None:
        self._fn = fn
        self._lock = threading.Lock()
        self._state: tuple[Fingerprint, _Seen, int] | None = None

    def snapshot(self) -> Fingerprint:
        """Return the fingerprint of the function as it is now; looked at anew when something has changed.

        Values over 64 kB are taken as unchanged while they are the same object, until the next cell runs, as
        they are when a function travels. Raises NotMemoizable.
        """
        state = self._state
        if state is None or not state[1].holds(is_same_era=state[2] == era()):
            with self._lock:
                number, walk = era(), _Walk()
                state = self._state = walk.fingerprint(self._fn), walk.seen, number
        return state[0]


def form_of(value: Any) -> bytes:
    """Return the canonical form of a value, functions and classes inside with all they reach.

    A long one is replaced by its digest. Raises NotMemoizable.
    """
    if type(value) not in ATOMS:
        return _Walk().form(value)
    encoder = Encoder(_no_reference)
    encoder.put(value)
    return bytes(encoder.out)


def _no_reference(thing: Any) -> bytes:
    raise AssertionError(f"an atom refers to nothing, not to {thing!r}")


@final
class _Seen:
    """Remember what was met: names and code by identity, mutable values by their form."""

    __slots__ = ("_ids", "values", "watch")

    def __init__(self) -> None:
        self.watch = Watch()
        self._ids: set[int] = set()
        self.values: list[tuple[Any, bytes | None, bool]] = []

    def add(self, value: Any) -> None:
        """Remember a value that may change in place; one that is met again is looked at once."""
        if type(value) not in ATOMS and not isinstance(value, _BY_IDENTITY) and id(value) not in self._ids:
            self._ids.add(id(value))
            form, nbytes = _form_alone(value)
            self.values.append((value, form, nbytes > SMALL))

    def holds(self, *, is_same_era: bool) -> bool:
        """Tell whether all is as it was; large values are looked at once an era."""
        return self.watch.holds() and all(
            (is_large and is_same_era) or _form_alone(value)[0] == form
            for value, form, is_large in self.values
        )


_BY_IDENTITY = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)


def _form_alone(value: Any) -> tuple[bytes | None, int]:
    """Return the form of a value, and from how many bytes; what has names stands by its place in memory."""
    encoder = Encoder(lambda thing: b"@%d;" % id(thing))
    try:
        encoder.put(value)
    except NotMemoizable:
        return None, 0
    return bytes(encoder.out), encoder.nbytes


@final
class _Walk:
    """Write one value, and then each thing that it refers to, once."""

    def __init__(self) -> None:
        self.seen = _Seen()
        self._numbers: dict[int, int] = {}
        self._waiting: deque[tuple[Any, str]] = deque()
        self._forms: dict[int, bytearray] = {}
        self._name = ""

    def fingerprint(self, fn: Any) -> Fingerprint:
        """Return the fingerprint of a callable. Raises NotMemoizable."""
        own = Encoder(self._refer)
        self.seen.add(fn)
        own.put(fn)
        parts = tuple(self._parts())
        whole = hashlib.sha256(own.out)
        for part in parts:
            whole.update(part.digest.encode())
        return Fingerprint(whole.digest(), parts)

    def form(self, value: Any) -> bytes:
        """Return the form of a value. Raises NotMemoizable."""
        encoder = Encoder(self._refer)
        encoder.put(value)
        out = encoder.out
        for part in self._parts():
            out += part.digest.encode()
        return bytes(out) if len(out) <= _FORM_LENGTH else b"#" + hashlib.sha256(out).digest()

    def _refer(self, thing: Any) -> bytes:
        if isinstance(thing, types.ModuleType):
            version = version_of(thing.__name__)
            place: str | None = thing.__name__
        else:
            version = version_of(thing.__module__ or "builtins")
            place = f"{thing.__module__}.{thing.__qualname__}" if version and address(thing) else None
        if version is not None and place is not None:
            return f"={place} {version};".encode()
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self._numbers)
            self._waiting.append((thing, getattr(thing, "__qualname__", thing.__name__)))
        return b"@%d;" % number

    def _parts(self) -> Iterator[CodePart]:
        """Yield what the waiting things are made of, and the things that these refer to."""
        while self._waiting:
            thing, name = self._waiting.popleft()
            encoder, text, data = Encoder(self._refer), "", list[CodePart]()
            try:
                if isinstance(thing, types.FunctionType):
                    syntax = syntax_of(thing.__code__)
                    encoder.out += syntax.digest
                    text = conceal_source(syntax.text)
                    data.extend(self._names(thing, encoder))
                elif isinstance(thing, type):
                    self._put_class(thing, encoder)
                else:
                    self._put_module(thing, encoder)
            except NotMemoizable as error:
                raise error.within(name) from None
            yield CodePart(name, hashlib.sha256(encoder.out).hexdigest(), text)
            yield from data

    def _names(self, fn: types.FunctionType, encoder: Encoder) -> Iterator[CodePart]:
        """Write what a function refers to; its data are parts of their own, so that a change has a name."""
        watch = self.seen.watch
        watch.functions.append((fn, fn.__code__, fn.__defaults__))
        for name, *attributes in references_of(fn.__code__):
            value = self._look_up(fn.__globals__, name, attributes)
            if value is not ABSENT:
                yield from self._put_named(encoder, ".".join((name, *attributes)), value)
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            value = _content(cell)
            watch.cells.append((cell, value))
            yield from self._put_named(encoder, name, b"" if value is shapes.EMPTY else value)
        defaults = (fn.__defaults__, fn.__kwdefaults__)
        if defaults != (None, None):
            yield from self._put_named(encoder, f"{fn.__qualname__}.defaults", defaults)
        if fn.__dict__:
            yield from self._put_named(encoder, f"{fn.__qualname__}.attributes", fn.__dict__)

    def _put_named(self, encoder: Encoder, name: str, value: Any) -> Iterator[CodePart]:
        self.seen.add(value)
        encoder.put(name)
        if isinstance(value, _BY_IDENTITY):
            encoder.put(value)
            return
        known = self._forms.get(id(value))
        if known is not None:
            encoder.tagged(b"v", known)
            return
        data = Encoder(self._refer)
        try:
            data.put(value)
        except NotMemoizable as error:
            raise error.within(f" -> {name}") from None
        encoder.tagged(b"v", data.out)
        if type(value) not in ATOMS:  # so `seen` keeps it, and no other has its place in memory
            self._forms[id(value)] = data.out
        yield CodePart(name, hashlib.sha256(data.out).hexdigest(), _picture(name, value))

    def _look_up(self, namespace: dict[str, Any], name: str, attributes: list[str]) -> Any:
        """Return a global; where it is a module of the project, the attribute of it that is used."""
        value = namespace.get(name, ABSENT)
        self.seen.watch.names.append((namespace, name, value))
        while attributes and isinstance(value, types.ModuleType) and version_of(value.__name__) is None:
            attribute = attributes.pop(0)
            self.seen.watch.names.append((vars(value), attribute, vars(value).get(attribute, ABSENT)))
            value = getattr(value, attribute, ABSENT)
        return value

    def _put_class(self, cls: type, encoder: Encoder) -> None:
        self.seen.watch.classes.append((cls, dict(vars(cls))))
        _, made_of, attributes = shapes.class_state(cls)
        members = made_of[4] if len(made_of) == 5 else {}
        kept = {name: value for name, value in sorted(attributes.items()) if name not in _BUILT_BY_PYTHON}
        for value in kept.values():
            self.seen.add(value)
        encoder.items(b"class", (cls.__qualname__, type(cls), cls.__bases__, vars(cls).get("__slots__")))
        encoder.pairs(b"", members.items(), ".{}")
        encoder.pairs(b"", kept.items(), ".{}")

    def _put_module(self, module: types.ModuleType, encoder: Encoder) -> None:
        """Write a module that is used as a whole: all of it counts."""
        file = getattr(module, "__file__", None)
        if file is not None and not file.endswith(".py"):
            encoder.tagged(b"compiled", Path(file).read_bytes())
            return
        content = {name: value for name, value in vars(module).items() if not name.startswith("__")}
        for name, value in content.items():
            self.seen.watch.names.append((vars(module), name, value))
            self.seen.add(value)
        encoder.pairs(b"module", sorted(content.items()), ".{}")


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return shapes.EMPTY


def _picture(name: str, value: Any) -> str:
    """Return how a value reads, where its own code need not run for it, and it is no secret."""
    if has_secret_name(name):
        return WITHHELD
    if type(value) in ATOMS or (type(value) in (list, tuple) and ATOMS.issuperset(map(type, value))):
        return conceal(repr(value))[:_TEXT_LENGTH]
    return f"<{type(value).__name__}>"
