"""Own callables by value: what one reaches, when that has changed, and the definitions that carry it.

A callable reaches the globals and closure variables that it refers to, and through functions and classes that
go by value whatever those reach. Each function, class and mutable value reached is one definition, so a
helper or a large table is sent once, and two functions that share a list share it on the other side too.
Refuses to know about calls and workers.
"""

from __future__ import annotations

import functools
import itertools
import secrets
import threading
import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final
from weakref import WeakValueDictionary

from nbflow.wire.reach import SMALL, Part, Watch, survey

__all__ = ["Definition", "Function", "Portable", "dead", "era", "living", "portable", "refresh"]


@final
@dataclass(frozen=True, slots=True)
class Definition:
    """Carry one version of a function, a class, or a value that they share.

    In `payload` the definitions that it refers to are numbered; `needs` says which they are.
    """

    token: int
    payload: bytes
    needs: tuple[Function, ...]


_tokens = itertools.count(secrets.randbits(40) << 20)
"""Start anywhere, so that what two processes define for each other can be told apart."""


@final
class Function:
    """Name one version of a callable, or of what a callable reaches. `token` is never used again."""

    __slots__ = ("__weakref__", "_definition", "_era", "fn", "name", "token")

    def __init__(self, fn: Any) -> None:
        self.fn = fn
        self.name = _name(fn)
        self.token = next(_tokens)
        self._definition: Definition | None = None
        self._era = _era.number

    def definition(self) -> Definition:
        """Return what the other side needs to have the callable; it is made once. Raises NotPicklable."""
        if self._definition is None:
            same = Portable(self.fn).snapshot(encode=True).definition()
            self._definition = Definition(self.token, same.payload, same.needs)
            _versions[self.token] = self
        return self._definition

    def __repr__(self) -> str:
        return f"<Function {self.name} {self.token}>"


def _name(fn: Any) -> str:
    while isinstance(fn, functools.partial):
        fn = fn.func
    name: str = getattr(fn, "__name__", None) or type(fn).__name__
    return name


@final
class Portable:
    """Follow one callable, and name each version of it and of what it reaches."""

    __slots__ = ("_live", "_state")

    def __init__(self, fn: Any) -> None:
        self._live = Function(fn)
        self._state: tuple[Function, Watch, int] | None = None

    def snapshot(self, *, encode: bool) -> Function:
        """Return the same Function while nothing that the callable reaches has changed, else a new one.

        It is encoded now: what changes later does not reach calls that were made already. Without `encode` it
        is the living callable itself, for executors in this process, and always the same. Values over 64 kB
        are taken as unchanged while they are the same object, until `refresh` is called. Raises NotPicklable.
        """
        if not encode:
            return self._live
        state = self._state
        if state is None or state[2] != _era.number or not state[1].holds():
            era = _era.number
            parts, watch = survey(self._live.fn, self._live.name, _recall)
            state = self._state = _commit(parts), watch, era
        return state[0]


@functools.lru_cache(maxsize=256)
def portable(thing: Any) -> Portable:
    """Return the one follower of a function or class that turns up inside arguments and results."""
    return Portable(thing)


def living(token: int) -> Any:
    """Return what a token of this process names. Raises KeyError when nobody holds it any longer."""
    return _versions[token].fn


def dead(tokens: Iterable[int]) -> list[int]:
    """Return those of this process's tokens that nobody will use again: their Function is gone."""
    return [token for token in tokens if token not in _versions]


def era() -> int:
    """Return how often large values were to be looked at again so far."""
    return _era.number


def refresh() -> None:
    """Have large values looked at again at the next snapshot, for example after a notebook cell has run."""
    _era.number += 1


@final
class _Era:
    """Count the refreshes."""

    number = 0


_era = _Era()
_newest: WeakValueDictionary[int, Function] = WeakValueDictionary()
"""The newest version of each thing, by its id: a Function keeps its thing alive."""
_versions: WeakValueDictionary[int, Function] = WeakValueDictionary()
_commit_lock = threading.Lock()
"""Two threads that survey at once must agree on versions. Nothing of a user runs while it is held."""


def _recall(thing: Any) -> Part | None:
    """Return the part of a large value that was pickled since the last refresh."""
    version = _newest.get(id(thing))
    if version is None or version._definition is None or version._era != _era.number:
        return None
    if len(version._definition.payload) <= SMALL or isinstance(thing, type | types.FunctionType):
        return None
    return Part.of(thing, version._definition.payload, [need.fn for need in version._definition.needs])


def _commit(parts: dict[int, Part]) -> Function:
    """Make new versions of what changed and of what needs it; return that of the first part."""
    with _commit_lock:
        versions = {key: version for key in parts if (version := _newest.get(key)) is not None}
        changed = [key for key, part in parts.items() if not _is_current(versions.get(key), part)]
        users: dict[int, list[int]] = {}
        for key, part in parts.items():
            for need in part.needs:
                users.setdefault(id(need), []).append(key)
        stale: set[int] = set()
        while changed:
            key = changed.pop()
            if key not in stale:
                stale.add(key)
                changed.extend(users.get(key, ()))
        versions |= {key: Function(parts[key].thing) for key in stale}
        for key in stale:
            version, part = versions[key], parts[key]
            needs = tuple(versions[id(need)] for need in part.needs)
            version._definition = Definition(version.token, part.payload, needs)
            _newest[key] = _versions[version.token] = version
        for version in versions.values():
            version._era = _era.number
        return versions[next(iter(parts))]


def _is_current(version: Function | None, part: Part) -> bool:
    """Tell whether a version is that of the part, and what it needs is still the newest."""
    if version is None or version.fn is not part.thing or version._definition is None:
        return False
    definition = version._definition
    return (
        definition.payload == part.payload
        and len(definition.needs) == len(part.needs)
        and all(
            version.fn is need and _newest.get(id(need)) is version
            for version, need in zip(definition.needs, part.needs, strict=True)
        )
    )
