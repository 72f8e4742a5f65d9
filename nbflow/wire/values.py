"""Own how arguments and results are encoded and decoded, and what the other side has defined here.

Whatever a value's own code does while it is pickled or read, what comes out is a typed error, never a crash.
"""

from __future__ import annotations

import functools
import threading
import types
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

from nbflow.errors import NotPicklable, NotReadable
from nbflow.wire.blame import cause_of, message_of, not_picklable
from nbflow.wire.functions import Function, living, portable
from nbflow.wire.pickling import Buffer, Loader, dump, named

__all__ = ["Definitions", "Encoded", "decode", "encode", "is_plain"]

_FIXED_SIZE = frozenset((type(None), bool, int, float))
_PLAIN_NBYTES = 1 << 16
_PLAIN_ITEMS = 16


@final
@dataclass(frozen=True, slots=True)
class Encoded:
    """Carry one value: its pickle, large buffers beside it, and the functions that it refers to."""

    data: Buffer
    buffers: tuple[Buffer, ...] = ()
    needs: tuple[Function, ...] = ()


def is_plain(value: Any) -> bool:
    """Tell whether a value is made of exact None, bool, int, float, str, bytes, and small tuples of them.

    Such values, unless they are large, need no care: any pickle carries them.
    """
    kind = type(value)
    if kind in _FIXED_SIZE:
        return True
    if kind is tuple:
        if len(value) > _PLAIN_ITEMS:
            return False
        for item in value:  # noqa: SIM110 - a generator costs as much as three items
            if type(item) not in _FIXED_SIZE and not is_plain(item):
                return False
        return True
    return (kind is str or kind is bytes) and len(value) < _PLAIN_NBYTES


def encode(value: Any, *, what: str | Sequence[str], known: Definitions | None = None) -> Encoded:
    """Encode a value. `what` names it in errors, or each of its items when it is a tuple.

    What is `known` from the other side goes back by its token. Raises NotPicklable with the path to the
    offender.
    """
    needs: dict[int, Function] = {}

    def refer(thing: Any) -> tuple[Any, ...]:
        token = known.token_of(thing) if known is not None else None
        if token is None:
            function = portable(thing).snapshot(encode=True)
            token = function.token
            needs[token] = function
        return named, (token,)

    buffers: list[memoryview] = []
    try:
        data = dump(value, refer, buffers)
    except NotPicklable:
        raise
    except BaseException as error:  # noqa: BLE001 - it is told, and kept where a user's code raised it
        raise _explain(error, what, value, refer) from cause_of(error)
    return Encoded(data, tuple(buffers), tuple(needs.values()))


def _explain(error: BaseException, what: str | Sequence[str], value: Any, refer: Any) -> NotPicklable:
    def travels(part: Any) -> bool:
        try:
            dump(part, refer)
        except BaseException:  # noqa: BLE001 - the answer is no, whatever its code raises
            return False
        return True

    if isinstance(what, str):
        return not_picklable(error, what, value, travels)
    items = list(zip(what, value, strict=True))
    name, item = next(((name, item) for name, item in items if not travels(item)), items[0])
    return not_picklable(error, name, item, travels)


@final
class Definitions:
    """Hold what the other side of a connection has defined, and build it when it is first needed.

    The name of whatever was built is remembered, so that it goes back as what the other side knows.
    """

    def __init__(self) -> None:
        self._packed: dict[int, tuple[Buffer, Sequence[int]]] = {}
        self._things: dict[int, Any] = {}
        self._tokens: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._lock = threading.RLock()

    def learn(self, definitions: Iterable[tuple[int, Buffer, Sequence[int]]]) -> None:
        """Take in definitions: token, payload, tokens of what it needs."""
        for token, payload, needs in definitions:
            self._packed[token] = payload, needs

    def forget(self, tokens: Iterable[int]) -> None:
        """Let go of what the other side will not refer to again."""
        for token in tokens:
            self._packed.pop(token, None)
            self._things.pop(token, None)

    def get(self, token: int) -> Any:
        """Return what a token names. Raises NotReadable."""
        thing = self._things.get(token, self)
        return thing if thing is not self else self._find(token)

    def token_of(self, thing: Any) -> int | None:
        """Return the token of a function or class that the other side has defined."""
        reference, token = self._tokens.get(id(thing), (None, None))
        return token if reference is not None and reference() is thing else None

    def _find(self, token: int) -> Any:
        with self._lock:
            if token in self._things:
                return self._things[token]
            if token in self._packed:
                return self._build(token)
        try:
            return living(token)
        except KeyError:
            raise NotReadable(
                "a function or class of an earlier definition came back, and nothing here refers to it any "
                "longer: keep its name, or run the task again"
            ) from None

    def _build(self, token: int) -> Any:
        """Build one definition and all that it needs; in a cycle, one is seen half built."""
        payload, needs = self._packed[token]

        def resolve(number: int) -> Any:
            return self.get(needs[number])

        try:
            thing = Loader(payload, (), resolve, functools.partial(self._adopt, token)).load()
        except NotReadable:
            self._things.pop(token, None)
            raise
        except BaseException as error:
            self._things.pop(token, None)
            raise NotReadable(f"a function or class cannot be built here: {_say(error)}") from error
        self._adopt(token, thing)
        self._packed.pop(token, None)
        return thing

    def _adopt(self, token: int, thing: Any) -> None:
        self._things[token] = thing
        if isinstance(thing, type | types.FunctionType):
            self._tokens[id(thing)] = weakref.ref(thing), token


def decode(data: Buffer, buffers: Sequence[Buffer], definitions: Definitions) -> Any:
    """Return the value that was encoded. Raises NotReadable, whatever the value's own code raises."""
    try:
        return Loader(data, buffers, definitions.get).load()
    except NotReadable:
        raise
    except BaseException as error:
        raise NotReadable(f"a value arrived that cannot be read here: {_say(error)}") from error


def _say(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"the module {error.name!r} is missing; install it where the task runs"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"{type(error).__name__}: {message_of(error)[:300]}"
