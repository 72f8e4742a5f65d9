"""Own the messages between an executor and a worker process, and how each call in them stays independent.

Executor to worker: a bundle of calls, a recall, stop. Worker to executor: outcomes, calls given back. Each
becomes frames: a head, then large buffers as they are in memory. Calls whose arguments are plain all ride in
the head; any other call is pickled by itself, so that what cannot travel or cannot be read fails that call
alone.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, final

from nbflow.core.ids import TaskId, TryId
from nbflow.core.task import Grant
from nbflow.errors import NbflowError, NotPicklable
from nbflow.wire.capsule import Testimony
from nbflow.wire.failures import decode_error, encode_error
from nbflow.wire.frames import Buffer
from nbflow.wire.functions import dead
from nbflow.wire.luggage import Luggage, wrap
from nbflow.wire.manifest import Manifest, unpack_directive
from nbflow.wire.messages import Arguments, Call, Directive, Upstream
from nbflow.wire.outcome import Outcome, Text
from nbflow.wire.values import Definitions, Encoded, decode, encode, is_plain

__all__ = [
    "Bundle",
    "GivenBack",
    "Outcomes",
    "Packing",
    "Parcel",
    "Place",
    "Recall",
    "Stop",
    "Try",
    "WrittenSoFar",
    "decode_order",
    "decode_report",
    "encode_bundle",
    "encode_given_back",
    "encode_outcomes",
    "encode_place",
    "encode_plain",
    "encode_recall",
    "encode_stop",
    "encode_written_so_far",
]

Try = tuple[TaskId, TryId]
Frames = list[Buffer]


@final
class Parcel:
    """Be one call as it arrived in a worker process, its function and arguments still packed.

    `forgotten` are definitions that no call from this one on refers to. `upstream` says which arguments are
    results of calls before it in the bundle, `grant` what it has for itself. A plain slotted class: one is
    made for each call.
    """

    __slots__ = (
        "_arguments",
        "_definitions",
        "_token",
        "directive",
        "forgotten",
        "grant",
        "task",
        "try_id",
        "upstream",
    )

    def __init__(
        self,
        task: TaskId,
        try_id: TryId,
        directive: Directive,
        token: int,
        arguments: Arguments | Encoded,
        definitions: Definitions,
        upstream: Upstream = (),
    ) -> None:
        self.task = task
        self.try_id = try_id
        self.directive = directive
        self._token = token
        self._arguments = arguments
        self._definitions = definitions
        self.forgotten: Collection[int] = ()
        self.grant: Grant | None = None
        self.upstream = upstream

    def open(self) -> tuple[Callable[..., Any], Arguments]:
        """Return the function and its arguments. Raises NbflowError when either cannot be read here."""
        if self.forgotten:
            # Only now: calls that arrived before this one have been opened.
            self._definitions.forget(self.forgotten)
        fn = self._definitions.get(self._token)
        arguments = self._arguments
        if type(arguments) is Encoded:
            arguments = cast("Arguments", decode(arguments.data, arguments.buffers, self._definitions))
        return fn, arguments


@final
@dataclass(frozen=True, slots=True)
class Bundle:
    """Run these calls, in order."""

    parcels: Sequence[Parcel]


@final
@dataclass(frozen=True, slots=True)
class Recall:
    """Give back those of these tries that have not started."""

    tries: Collection[Try]


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Run what comes from here on in this directory, importing from these paths.

    `reloads` are modules to be loaded anew before that, where they are loaded.
    """

    directory: str
    import_paths: Sequence[str]
    reloads: Sequence[str] = ()


@final
@dataclass(frozen=True, slots=True)
class Stop:
    """End after the calls in hand."""


@final
@dataclass(frozen=True, slots=True)
class Outcomes:
    """Report what came of calls."""

    outcomes: Sequence[Outcome]


@final
@dataclass(frozen=True, slots=True)
class GivenBack:
    """Report tries that will not be run here, as they have not started.

    It answers a recall, or tells that what they take from others of their bundle is not there.
    """

    tries: Collection[Try]
    is_answer: bool


@final
@dataclass(frozen=True, slots=True)
class WrittenSoFar:
    """Report the end of what a call has written that still runs."""

    task: TaskId
    try_id: TryId
    stdout: Text
    stderr: Text


Order = Bundle | Recall | Place | Stop
Report = Outcomes | GivenBack | WrittenSoFar

_KINDS: Final = (Bundle, Recall, Place, Stop, Outcomes, GivenBack, WrittenSoFar)
_TAGS: Final = {kind: tag for tag, kind in enumerate(_KINDS)}
"""Messages are told apart by a number: a class in a pickle costs 2 us."""


def encode_bundle(calls: Iterable[Call], known: set[int]) -> tuple[Frames, list[tuple[Call, NbflowError]]]:
    """Encode calls for a worker that knows the definitions `known` (brought up to date here).

    Returns the frames, and the calls that cannot travel, each with its reason. The frames may hold an empty
    bundle.
    """
    packing = Packing(known)
    failures: list[tuple[Call, NbflowError]] = []
    for call in calls:
        try:
            packing.add(call)
        except NbflowError as error:
            failures.append((call, error))
    return packing.frames(), failures


def encode_plain(calls: Iterable[Call], known: set[int]) -> Frames | None:
    """Encode calls without running a user's code, or return None where that cannot be.

    It can when all functions are `known` to the worker, and all arguments are plain and easily put together.
    """
    manifest = Manifest()
    for call in calls:
        if not call.is_inert or call.function.token not in known:
            return None
        try:
            args, kwargs = call.arguments()
        except Exception:  # noqa: BLE001 - `encode_bundle` makes it the outcome of this call alone
            return None
        if not is_plain(args) or (kwargs and not is_plain(tuple(kwargs.values()))):
            return None
        manifest.add(call, (args, kwargs or _NO_KEYWORDS))
    return _bundle(manifest)


def encode_recall(tries: Collection[Try]) -> Frames:
    """Encode the wish to have tries back that have not started."""
    return _frames((_TAGS[Recall], list(tries)))


def encode_place(place: Place) -> Frames:
    """Encode where the calls of later bundles run."""
    return _frames((_TAGS[Place], place.directory, place.import_paths, place.reloads))


def encode_stop() -> Frames:
    """Encode the wish that the worker ends after the calls in hand."""
    return _frames((_TAGS[Stop],))


def decode_order(frames: Sequence[Buffer], definitions: Definitions) -> Order:
    """Decode what an executor sent; calls stay packed until they are opened."""
    tag, *content = pickle.loads(frames[0], buffers=frames[1:])
    kind = _KINDS[tag]
    if kind is Bundle:
        learned, packed_directives, items, forgotten, grants = content
        definitions.learn(learned)
        directives = list(map(unpack_directive, packed_directives))
        parcels = [
            Parcel(task, try_id, directives[number], token, packed, definitions, upstream)
            for task, try_id, number, token, packed, upstream in items
        ]
        if parcels:
            parcels[0].forgotten = forgotten
        for parcel in parcels if grants else ():
            parcel.grant = grants.get(parcel.task)
        return Bundle(parcels)
    return cast("Order", kind(*content))


def encode_outcomes(outcomes: Iterable[Outcome], definitions: Definitions, known: set[int]) -> Frames:
    """Encode what came of calls; `definitions` are this worker's, `known` what it sent of its own.

    Never fails: a value that cannot travel becomes a NotPicklable error of its call.
    """
    luggage = Luggage(known)
    forgotten = dead(known)
    known.difference_update(forgotten)
    items = [_pack_outcome(outcome, definitions, luggage) for outcome in outcomes]
    return _frames((_TAGS[Outcomes], luggage.definitions, items, forgotten))


def encode_given_back(tries: Collection[Try], *, is_answer: bool) -> Frames:
    """Encode the tries that will not be run here."""
    return _frames((_TAGS[GivenBack], list(tries), is_answer))


def encode_written_so_far(task: TaskId, try_id: TryId, stdout: Text, stderr: Text) -> Frames:
    """Encode the end of what a call has written that still runs."""
    return _frames((_TAGS[WrittenSoFar], task, try_id, stdout, stderr))


def decode_report(frames: Sequence[Buffer], definitions: Definitions) -> Report:
    """Decode what a worker sent; a value that cannot be read here becomes the error of its call."""
    tag, *content = pickle.loads(frames[0], buffers=frames[1:])
    kind = _KINDS[tag]
    if kind is Outcomes:
        learned, items, forgotten = content
        definitions.forget(forgotten)
        definitions.learn(learned)
        return Outcomes([_unpack_outcome(item, definitions) for item in items])
    return cast("Report", kind(*content))


@final
class Packing:
    """Pack calls one by one for a worker that knows the definitions `known`.

    Only `frames` brings these up to date: until then, a packing may be given up.
    """

    def __init__(self, known: set[int]) -> None:
        self._known = known
        self._luggage = Luggage(set(known))
        self._forgotten = dead(known)
        self._packed: dict[Call, Any] = {}

    def add(self, call: Call) -> None:
        """Pack a call. Raises NbflowError when it cannot travel."""
        self._packed[call] = _pack_call(call, self._luggage)

    def take_out(self, call: Call) -> bool:
        """Leave a packed call out again, from any thread; return whether it was there."""
        return self._packed.pop(call, None) is not None

    def frames(self) -> Frames:
        """Return the bundle as frames, possibly of no calls."""
        manifest = Manifest()
        for call, packed in self._packed.items():
            manifest.add(call, packed)
        forgotten = self._forgotten
        self._known |= self._luggage.known
        if manifest.items:
            self._known.difference_update(forgotten)
        return _bundle(manifest, self._luggage.definitions, forgotten)


_NO_KEYWORDS: dict[str, Any] = {}


def _pack_call(call: Call, luggage: Luggage) -> Any:
    """Return the arguments as they are when they are plain, else encoded. Raises NbflowError."""
    try:
        arguments = call.arguments()
    except NbflowError:
        raise
    except Exception as error:
        raise NotPicklable(f"the arguments could not be put together: {error!r}", path="args") from error
    if call.function.token not in luggage.known:
        luggage.add((call.function,))
    args, kwargs = arguments
    if is_plain(args) and (not kwargs or is_plain(tuple(kwargs.values()))):
        return args, kwargs or _NO_KEYWORDS
    encoded = encode((args, dict(kwargs)), what=("args", "kwargs"))
    luggage.add(encoded.needs)
    return _pack(encoded)


def _pack(encoded: Encoded) -> Any:
    return Encoded(wrap(encoded.data), tuple(map(wrap, encoded.buffers)))


def _pack_outcome(outcome: Outcome, definitions: Definitions, luggage: Luggage) -> tuple[Any, ...]:
    value, error, failed = outcome.value, outcome.error, None
    if error is None and not is_plain(value):
        try:
            encoded = value if type(value) is Encoded else encode(value, what="result", known=definitions)
            luggage.add(encoded.needs)
            value = _pack(encoded)
        except NbflowError as reason:
            error = reason
    if error is not None:
        text, evidence = outcome.testimony or (None, None)
        encoded = encode_error(error, known=definitions, traceback=text)
        luggage.add(encoded.needs)
        value, failed = None, (_pack(encoded), evidence)
    told = outcome.seconds, outcome.stdout, outcome.stderr, outcome.usage
    return outcome.task, outcome.try_id, value, failed, *told


def _unpack_outcome(item: tuple[Any, ...], definitions: Definitions) -> Outcome:
    task, try_id, value, failed, seconds, stdout, stderr, usage = item
    error = testimony = None
    if failed is not None:
        error, testimony = decode_error(failed[0], definitions), failed[1] and Testimony("", failed[1])
    elif type(value) is Encoded:
        try:
            value = decode(value.data, value.buffers, definitions)
        except NbflowError as reason:
            value, error = None, reason
    return Outcome(task, try_id, value, error, seconds, stdout, stderr, usage, testimony)


def _bundle(manifest: Manifest, definitions: Sequence[Any] = (), forgotten: Sequence[int] = ()) -> Frames:
    given = manifest.directives, manifest.items
    return _frames((_TAGS[Bundle], definitions, *given, forgotten, manifest.grants))


def _frames(head: tuple[Any, ...]) -> Frames:
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(head, protocol=5, buffer_callback=buffers.append)
    return [data, *(buffer.raw() for buffer in buffers)]
