"""Own the futures inside arguments: finding them when a call is made, replacing them when it leaves.

Lists, tuples, dicts (values), sets and dataclass instances are looked into, at any depth; other objects are
not.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, ValuesView
from concurrent.futures import Future
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, final

from nbflow.core.ids import TaskId, TryId
from nbflow.core.task import Task
from nbflow.data.file import File
from nbflow.errors import AppTypeError, DependencyError
from nbflow.flow.futures.future import AppFuture, DataFuture, KernelFuture
from nbflow.flow.futures.owner import Owner
from nbflow.wire.blame import message_of
from nbflow.wire.functions import Function
from nbflow.wire.messages import Arguments, Call, Directive, Upstream

__all__ = [
    "ATOMS",
    "Found",
    "Invocation",
    "are_atoms",
    "files_in",
    "find_futures",
    "keep_arrangement",
    "lasting",
    "replace_futures",
    "walk_futures",
    "with_futures_as",
]

ATOMS = frozenset((int, float, str, bytes, bool, complex, type(None), range, bytearray))
"""Types that cannot hold a future: most arguments are of one, and are passed over at once."""

CHANGEABLE = frozenset((list, dict, set))


def walk_futures(value: object) -> Iterator[Future[Any]]:
    """Yield the futures inside a value, in order; one that is there twice comes twice.

    A container that holds itself is entered once.
    """
    return _walk(value, Future)


def files_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[File]:
    """Yield the files that a call is given, there already or promised, in order."""
    for found in _walk([*args, *kwargs.values()], (DataFuture, File)):
        yield found.file if isinstance(found, DataFuture) else found


def _walk(value: object, kind: Any) -> Iterator[Any]:
    entered: set[int] = set()
    todo = [value]
    while todo:
        at = todo.pop()
        if type(at) in ATOMS:
            continue
        if isinstance(at, kind):
            yield at
        elif (parts := _parts(at)) is not None and id(at) not in entered:
            entered.add(id(at))
            todo.extend(reversed([part for part in parts if type(part) not in ATOMS]))


def lasting(futures: Any) -> Any:
    """Return an arrangement that can be walked more than once: a generator is made a list."""
    return list(futures) if isinstance(futures, Iterator | ValuesView) else futures


@final
class Found:
    """Collect the futures inside values, each once: tasks of `kernel`, and futures of others."""

    __slots__ = ("_kernel", "_seen", "foreign", "tasks")

    def __init__(self, kernel: Owner) -> None:
        self._kernel = kernel
        self._seen: set[int] = set()
        self.tasks: list[Task] = []
        self.foreign: list[Future[Any]] = []

    def look_into(self, value: object) -> None:
        """Take in the futures of one value."""
        for future in walk_futures(value):
            is_ours = isinstance(future, KernelFuture) and future._kernel is self._kernel
            source: object = future._task if is_ours else future  # type: ignore[attr-defined]
            if id(source) in self._seen:
                continue
            self._seen.add(id(source))
            if is_ours:
                self.tasks.append(source)  # type: ignore[arg-type]
            else:
                self.foreign.append(future)


def _parts(value: object) -> Iterable[object] | None:
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, dict):
        return value.values()
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in fields(value)]
    return None


def find_futures(kernel: Owner, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Found | None:
    """Return the futures inside the arguments of a call, or None when there are none."""
    found: Found | None = None
    for value in (*args, *kwargs.values()) if kwargs else args:
        if type(value) not in ATOMS:
            if found is None:
                found = Found(kernel)
            found.look_into(value)
    return found if found is not None and (found.tasks or found.foreign) else None


def are_atoms(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tell whether nobody can change any of these arguments."""
    return ATOMS.issuperset(map(type, args)) and (not kwargs or ATOMS.issuperset(map(type, kwargs.values())))


def replace_futures(value: Any) -> Any:
    """Return `value` with every future replaced by its result; all of them must be done.

    What holds no future is returned as it is, not copied. Raises DependencyError for one that failed.
    """
    return _with_futures(value, _result, {})


def keep_arrangement(value: Any) -> Any:
    """Return `value` with its lists, dicts and sets copied, and whatever holds futures.

    What their owner puts into them later is not part of the call, and not waited for. Raises AppTypeError
    when it is nested too deeply.
    """
    try:
        return _with_futures(value, _itself, {}, CHANGEABLE)
    except RecursionError:
        raise AppTypeError(
            f"an argument ({type(value).__name__}) is nested too deeply to look for futures in it: flatten it"
        ) from None


def with_futures_as(value: Any, become: Callable[[Future[Any]], Any]) -> Any:
    """Return `value` with every future replaced by what `become` makes of it."""
    return _with_futures(value, become, {})


def _result(future: Future[Any]) -> Any:
    if isinstance(future, DataFuture):
        return future.file
    try:
        return future.result()
    except BaseException as error:
        raise DependencyError(
            f"a future given as an argument failed: {type(error).__name__}: {message_of(error)[:200]}. "
            "nbflow cannot run that again; give another in its place: future.task.retry(args=...)",
            root=error,
        ) from error


def _itself(future: Future[Any]) -> Any:
    return future


def _with_futures(
    value: Any,
    become: Callable[[Future[Any]], Any],
    entered: dict[int, Any],
    always: frozenset[type] = frozenset(),
) -> Any:
    """Rebuild what holds futures, with what `become` makes of each, and containers of the types `always`."""
    if type(value) in ATOMS:
        return value
    if id(value) in entered:
        return entered[id(value)]
    if isinstance(value, Future):
        return become(value)
    parts = _parts(value)
    if parts is None:
        return value
    is_copied = type(value) in always
    # A container that holds itself holds its copy, once copied.
    entered[id(value)] = twin = type(value)() if is_copied else value
    old = list(parts)
    new = [_with_futures(part, become, entered, always) for part in old]
    del entered[id(value)]
    if is_copied:
        return _filled(twin, value, new)
    if all(one is other and not isinstance(one, Future) for one, other in zip(old, new, strict=True)):
        return value
    return _rebuild(value, new)


def _filled(twin: Any, value: Any, parts: list[Any]) -> Any:
    if isinstance(twin, list):
        twin.extend(parts)
    else:
        twin.update(zip(value, parts, strict=True) if isinstance(twin, dict) else parts)
    return twin


def _rebuild(value: Any, parts: list[Any]) -> Any:
    twin: Any
    if isinstance(value, dict):
        twin = copy.copy(value)
        dict.update(twin, zip(value, parts, strict=True))  # a Counter's own would add
        return twin
    if isinstance(value, tuple):
        return tuple.__new__(type(value), parts)  # a subclass may be made otherwise
    if isinstance(value, set | frozenset):
        return type(value)(parts)
    twin = copy.copy(value)
    if isinstance(value, list):
        list.__setitem__(twin, slice(None), parts)
        return twin
    for field, part in zip(fields(value), parts, strict=True):
        # A frozen dataclass is still the right type with other contents.
        object.__setattr__(twin, field.name, part)
    return twin


@final
class Invocation:
    """Keep what one task calls until the task is done; called, it gives the arguments.

    A plain slotted class, one for each task.
    """

    __slots__ = (
        "args", "directive", "form", "function", "has_futures", "kwargs", "origin", "recipe",
        "source", "watch",
    )  # fmt: skip

    def __init__(
        self,
        function: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        directive: Directive,
        *,
        has_futures: bool = False,
        origin: str | None = None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.directive = directive
        self.has_futures = has_futures
        self.origin = origin
        self.watch: object = None
        self.recipe: Any = None
        self.source: Any = None
        self.form: bytes | None = None

    def let_go(self) -> Invocation | None:
        """Let go of function and arguments; return what of the call is still of use: its output files."""
        if self.directive.stdout is None and self.directive.stderr is None:
            return None
        self.args, self.kwargs, self.function = (), {}, None  # type: ignore[assignment]
        return self

    @property
    def can_follow(self) -> bool:
        """Tell whether the call can be sent before its futures are done: each is an argument by itself."""
        return self.has_futures and self._is_flat()

    def call(self, task: TaskId, try_id: TryId) -> Call:
        """Return one try of the task as executors take it; futures that are not done are left to its slot."""
        if not self.has_futures:
            return Call(task, try_id, self.function, self, self.directive, is_inert=True)
        if not self._is_flat():
            return Call(task, try_id, self.function, self, self.directive)
        upstream = tuple(self._upstream())
        arguments = partial(self._without, upstream) if upstream else self
        return Call(task, try_id, self.function, arguments, self.directive, is_inert=True, upstream=upstream)

    def _is_flat(self) -> bool:
        """Tell whether nothing has to be looked into to find the futures, and all of them are ours."""
        values = (*self.args, *self.kwargs.values()) if self.kwargs else self.args
        return all(type(value) in ATOMS or type(value) is AppFuture for value in values)

    def _upstream(self) -> Iterator[tuple[int | str, TaskId]]:
        places = itertools.chain[tuple[int | str, Any]](enumerate(self.args), self.kwargs.items())
        for place, value in places:
            if type(value) is AppFuture and not value.done():
                yield place, value._task.id

    def _without(self, upstream: Upstream) -> Arguments:
        """Return the arguments with None in place of those that are left to the slot."""
        left = {place for place, _ in upstream}
        args = tuple(
            None if place in left else replace_futures(value) for place, value in enumerate(self.args)
        )
        return args, {
            name: None if name in left else replace_futures(value) for name, value in self.kwargs.items()
        }

    def __call__(self) -> Arguments:
        """Return the arguments, futures replaced by their results."""
        if not self.has_futures:
            return self.args, self.kwargs
        args = tuple(map(replace_futures, self.args))
        return args, {name: replace_futures(value) for name, value in self.kwargs.items()}
