"""Own the words for what cannot travel: where it sits inside a value, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import islice
from traceback import walk_tb
from typing import Any

from nbflow.errors import NotPicklable
from nbflow.wire.pickling import Refused

__all__ = ["blame", "cause_of", "message_of", "not_picklable"]

_PROBES = 400
"""At most so many parts are tried: the search must end, also inside large values."""
_ITEMS = 100
"""Items of one container that are tried."""

_PICKLERS = frozenset(("copyreg", "dill", "nbflow", "pickle"))

Step = tuple[str, Any]


def blame(path: str, value: Any, travels: Callable[[Any], bool]) -> Step:
    """Return the innermost part of `value` that does not travel, and its path from `path` on.

    Of several, the first is named. Stops at what has no parts, or when every part travels by itself.
    """
    probes = iter(range(_PROBES))
    entered: set[int] = set()
    while id(value) not in entered:
        entered.add(id(value))
        for step, part in _parts(value):
            if next(probes, None) is None:
                return path, value
            if not travels(part):
                path, value = path + step, part
                break
    return path, value


def not_picklable(
    error: BaseException, path: str, value: Any, travels: Callable[[Any], bool]
) -> NotPicklable:
    """Return the error to raise for a value at `path` whose pickling raised `error`."""
    if isinstance(error, RecursionError):
        reason = f"{path} is nested too deeply to travel: flatten it, or write it to a file and pass the path"
        return NotPicklable(reason, path=path)
    try:
        path, part = blame(path, value, travels)
    except BaseException:  # noqa: BLE001 - its own code raised as it was looked at: nothing inside is named
        part = value
    kind = f"{type(part).__module__}.{type(part).__qualname__}".removeprefix("builtins.")
    line = message_of(error).strip().partition("\n")[0][:300]
    if isinstance(error, Refused):
        return NotPicklable(f"{path} cannot travel to a worker process: {line}", path=path)
    return NotPicklable(
        f"{path} (of type {kind}) cannot travel to a worker process: {type(error).__name__}: {line}. "
        "Make it inside the function, pass what it is made from, or use an executor of threads",
        path=path,
    )


def cause_of(error: BaseException) -> BaseException | None:
    """Return an error that a user's code raised while it was pickled, whose traceback tells where.

    None for one that picklers raise: `not_picklable` tells all of it.
    """
    name = ""
    for frame, _ in walk_tb(error.__traceback__):
        name = frame.f_globals.get("__name__", "")
    return None if name.partition(".")[0] in _PICKLERS else error


def message_of(error: BaseException) -> str:
    """Return what an exception says. Never raises, though an exception's own code may."""
    try:
        return str(error)
    except BaseException as broken:  # noqa: BLE001 - that is what is told
        return f"<no message: its __str__ raised {type(broken).__name__}>"


def _parts(value: Any) -> Iterator[Step]:
    """Give the parts of a value with the text that leads to each."""
    if isinstance(value, dict):
        yield from ((f"[{_key(key)}]", item) for key, item in islice(value.items(), _ITEMS))
        yield from ((f".keys()[{number}]", key) for number, key in enumerate(islice(value, _ITEMS)))
    elif isinstance(value, list | tuple):
        yield from ((f"[{number}]", item) for number, item in enumerate(value[:_ITEMS]))
    elif isinstance(value, set | frozenset):
        yield from ((f"[{number}]", item) for number, item in enumerate(islice(value, _ITEMS)))
    elif not isinstance(value, type | Future):  # what is in a future says nothing to its user
        yield from ((f".{name}", item) for name, item in _attributes(value).items())


def _key(key: Any) -> str:
    return repr(key) if isinstance(key, str | int | float | bytes | bool) else f"<{type(key).__name__}>"


def _attributes(value: Any) -> dict[str, Any]:
    found = dict(getattr(value, "__dict__", None) or {})
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    return found
