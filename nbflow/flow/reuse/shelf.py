"""Own the choice which finished or running work of earlier equal calls stands for the calls of one place.

A place is where calls come from: a cell, a script, one call of a join app. Equal calls of a place take what
is there one after the other, so ten draws of a random number stay ten. Work whose own inputs were other
results than this call's is left alone. Only one thread takes; any may look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, final

from nbflow.core.task import Task
from nbflow.flow.former.past import Result, Sent
from nbflow.flow.futures.inputs import Invocation

__all__ = ["Shelf", "Source", "Work", "code_of", "number_of"]

Work = Result | Sent | Task


def code_of(call: Invocation) -> bytes:
    """Return what tells the code of a call from other code, and how it is run."""
    code = call.recipe.code
    return code.fingerprint.digest + code.kind.encode()  # type: ignore[no-any-return]


def number_of(work: Work) -> int:
    """Return the number of the task that did the work."""
    match work:
        case Result():
            return work.finished.task
        case Sent():
            return work.task
    return work.id


@final
class Source:
    """Be where calls come from: a place, and all shelves of the cell behind it.

    A join app makes its calls with the shelves of its own cell, also while another runs.
    """

    __slots__ = ("place", "shelves")

    def __init__(self, place: str, shelves: dict[str, Shelf]) -> None:
        self.place = place
        self.shelves = shelves


@final
class Shelf:
    """Hold the work of one place by what its calls run and are given."""

    def __init__(self, work: Iterable[Work]) -> None:
        self._work: dict[tuple[bytes, bytes], list[Work]] = {}
        for one in work:
            self._work.setdefault(_key(one), []).append(one)

    def __bool__(self) -> bool:
        return bool(self._work)

    def has(self, code: bytes, form: bytes) -> bool:
        """Tell whether there was any work of such calls."""
        return (code, form) in self._work

    def take(self, code: bytes, form: bytes, fits: Callable[[Work], bool]) -> Work | None:
        """Take out and return the first work of such calls that fits."""
        left = self._work.get((code, form), [])
        for place, work in enumerate(left):
            if fits(work):
                return left.pop(place)
        return None


def _key(work: Work) -> tuple[bytes, bytes]:
    match work:
        case Result():
            return work.finished.code, work.finished.form
        case Sent():
            return work.code, work.form
    call: Any = work.call
    return code_of(call), call.form
