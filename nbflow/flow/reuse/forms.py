"""Own the form of a call, by which it is known again in another process: its arguments, futures by number.

Which results its futures stand for is told beside it, once they are there.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from nbflow.core.task import Task
from nbflow.flow.futures.future import DataFuture
from nbflow.flow.futures.inputs import with_futures_as
from nbflow.memo.keys import Binder
from nbflow.wire.fingerprint import form_of

__all__ = ["form_of_call", "form_of_joined"]

LONGEST = 64
"""A longer form is replaced by its digest."""


def form_of_call(
    binder: Binder | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    parents: Sequence[Task],
    outputs: Sequence[str],
) -> bytes:
    """Return the form of a call. Without `binder` the arguments are atoms, given by position.

    Raises NotMemoizable, and whatever the code of an argument raises.
    """
    if binder is None and bytearray not in map(type, args):  # marshal takes bytes and bytearray for the same
        try:
            # Version 2 writes equal atoms alike, whoever else holds them: a tenth of the price of `form_of`.
            form = marshal.dumps(args, 2)
        except ValueError:  # a range
            form = form_of(args)
    elif binder is None:
        form = form_of(args)
    else:
        form = form_of((outputs, _numbered(dict(binder.named(args, kwargs)), parents)))
    return form if len(form) <= LONGEST else hashlib.sha256(form).digest()


def form_of_joined(value: Any, children: Sequence[Task]) -> bytes:
    """Return the form of what a join app returned. Raises as `form_of_call` does."""
    return form_of(_numbered(value, children))


def _numbered(value: Any, tasks: Sequence[Task]) -> Any:
    """Return `value` with what no user has in place of its futures: the number of each one's task."""
    if not tasks:
        return value
    numbers = {id(task): number for number, task in enumerate(tasks)}

    def become(future: Future[Any]) -> Any:
        number = UUID(int=numbers[id(future._task)])  # type: ignore[attr-defined]
        return (number, future.file.path) if isinstance(future, DataFuture) else number

    return with_futures_as(value, become)
