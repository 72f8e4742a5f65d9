"""Own what is recorded of a failed call, how it is written down, and how single values are kept in it.

All is JSON, so that a record can be read by anybody, and without running anything. Values that are small, and
whose pickling runs no code of a user's, are there as pickles beside their pictures, each complete in itself.
Refuses to know how a record is made and where it is kept.
"""

from __future__ import annotations

import base64
import inspect
import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import FunctionType
from typing import Any, NamedTuple, final

from nbflow.wire.functions import Function, portable
from nbflow.wire.luggage import Luggage
from nbflow.wire.pickling import TooLarge, dump_small, named, pass_all
from nbflow.wire.reach import is_light
from nbflow.wire.values import Definitions, decode

__all__ = [
    "CallRecord",
    "Evidence",
    "Moment",
    "Testimony",
    "Variable",
    "name_arguments",
    "pack",
    "pack_function",
    "unpack",
]


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """Show a variable or argument: its name, a bounded picture, and itself (see `pack`) where it could be."""

    name: str
    text: str
    data: bytes | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Show one frame of the traceback as it was: where, in what code, with which variables.

    `source` is that of the function, whose first line is `first_line` of the file.
    """

    filename: str
    line: int
    function: str
    module: str
    first_line: int
    source: str
    variables: tuple[Variable, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Tell what a worker saw of a failure: the frames, outermost first, and what stood around them.

    `randomness` holds the states of random number generators as they were when the call failed.
    """

    frames: tuple[Moment, ...] = ()
    randomness: tuple[Variable, ...] = ()
    versions: dict[str, str]
    host: str
    directory: str
    listing: tuple[str, ...]
    stdout: str = ""
    stderr: str = ""

    def to_json(self) -> str:
        """Write as one line."""
        return json.dumps(asdict(self), separators=(",", ":"), default=_base64, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Read what `to_json` wrote. Raises ValueError, KeyError or TypeError for what is none."""
        told = json.loads(text)
        frames = tuple(
            Moment(**{**frame, "variables": _variables(frame["variables"])}) for frame in told.pop("frames")
        )
        randomness, listing = _variables(told.pop("randomness")), tuple(told.pop("listing"))
        return cls(frames=frames, randomness=randomness, listing=listing, **told)


@final
class Testimony(NamedTuple):
    """Be what a worker tells of a failed call: its traceback for people, and the evidence as JSON."""

    traceback: str
    evidence: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """Tell which call failed and how. `function` is packed; the first `places` arguments are given by place.

    `time` is in seconds since the epoch.
    """

    run: str
    task: int
    try_id: int
    time: float
    app: str
    kind: str
    cause: str
    error: str
    traceback: str
    source: str
    function: bytes | None
    places: int
    arguments: tuple[Variable, ...]

    @property
    def last_words(self) -> str:
        """Return the end of its traceback; what is told of the error where there is none."""
        return self.traceback.strip().rpartition("\n")[2] or self.error

    def to_json(self) -> str:
        """Write as one line."""
        return json.dumps(asdict(self), separators=(",", ":"), default=_base64, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> CallRecord:
        """Read what `to_json` wrote. Raises ValueError, KeyError or TypeError for what is none."""
        told = json.loads(text)
        function, arguments = _bytes(told.pop("function")), _variables(told.pop("arguments"))
        return cls(function=function, arguments=arguments, **told)


def pack(value: Any, limit: int, check: Callable[[Any], object] = pass_all) -> bytes:
    """Return a value with all definitions that it needs, to be read when this process is gone.

    `check` may raise for an object that shall not be pickled. Raises TooLarge, or whatever keeps
    it from being pickled.
    """
    return _pack(value, limit, lambda thing: portable(thing).snapshot(encode=True), check)


def pack_function(function: Function, limit: int) -> bytes:
    """Return one version of a callable, as `pack` does."""
    return _pack(function.fn, limit, lambda thing: function, pass_all)


def _pack(
    value: Any, limit: int, version_of: Callable[[Any], Function], check: Callable[[Any], object]
) -> bytes:
    luggage = Luggage(set())

    def refer(thing: Any) -> tuple[Any, ...]:
        if not is_light(thing, limit):
            raise TooLarge
        function = version_of(thing)
        luggage.add((function,))
        return named, (function.token,)

    data = dump_small(value, refer, limit, check)
    definitions = [
        (token, bytes(memoryview(payload)), needs) for token, payload, needs in luggage.definitions
    ]
    return dump_small((data, definitions), _refuse, limit)


def unpack(packed: bytes) -> Any:
    """Return a value that was packed by this user. Raises NotReadable; runs what the value's code does."""
    data, learned = pickle.loads(packed)
    definitions = Definitions()
    definitions.learn(learned)
    return decode(data, (), definitions)


def name_arguments(
    fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of a call by the names of their parameters, those by place first."""
    if type(fn) is FunctionType and not hasattr(fn, "__wrapped__"):  # a tenth of the work of a signature
        names = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    else:
        try:
            names = tuple(inspect.signature(fn).parameters)
        except (TypeError, ValueError):
            names = ()
    for place, value in enumerate(args):
        yield (names[place] if place < len(names) else f"args[{place}]"), value
    yield from kwargs.items()


def _refuse(thing: Any) -> Any:
    raise AssertionError(f"{thing!r} is neither bytes nor a number")


def _variables(told: list[dict[str, Any]]) -> tuple[Variable, ...]:
    return tuple(Variable(one["name"], one["text"], _bytes(one["data"])) for one in told)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _base64(data: object) -> str:
    assert isinstance(data, bytes), type(data)
    return base64.b64encode(data).decode()
