"""Own the waiting for many futures at once."""

from __future__ import annotations

import concurrent.futures
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal

from nbflow.flow.futures.future import AppFuture, KernelFuture
from nbflow.flow.futures.inputs import lasting, replace_futures, walk_futures
from nbflow.flow.futures.owner import Owner

__all__ = ["as_completed", "gather", "wait"]

ONLY_APPS = frozenset((AppFuture,))

ReturnWhen = Literal["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]


def gather(*futures: Any, return_exceptions: bool = False, timeout: float | None = None) -> Any:
    """Wait for futures and return their results in the same arrangement.

    One argument (a future, or a list, tuple, dict, set or dataclass with futures at any depth) gives one
    arrangement back; several give a list. Raises the first failure in the order of the futures, unless
    `return_exceptions` gives a flat list with exceptions in place of results. `timeout` is in seconds, for
    all together.
    """
    wanted = lasting(futures[0]) if len(futures) == 1 else list(futures)
    if (
        timeout is None
        and not return_exceptions
        and type(wanted) is list
        and ONLY_APPS.issuperset(map(type, wanted))
    ):
        return [future.result() for future in wanted]  # what is asked most, at a third of the price
    found = list(walk_futures(wanted))
    end = None if timeout is None else time.monotonic() + timeout
    outcomes = [_outcome(future, end) if return_exceptions else _result(future, end) for future in found]
    return outcomes if return_exceptions else replace_futures(wanted)


def _result(future: Future[Any], end: float | None) -> Any:
    return future.result(None if end is None else max(0.0, end - time.monotonic()))


def _outcome(future: Future[Any], end: float | None) -> Any:
    try:
        return _result(future, end)
    except (Exception, concurrent.futures.CancelledError) as error:
        if not future.done():
            raise
        return error


def as_completed(futures: Any, timeout: float | None = None) -> Iterator[Future[Any]]:
    """Yield futures as they end, in whatever arrangement they are given.

    Raises TimeoutError after `timeout` seconds.
    """
    found = _found(futures)
    return _each(found, concurrent.futures.as_completed(found, timeout))


def wait(
    futures: Any, timeout: float | None = None, return_when: ReturnWhen = "ALL_COMPLETED"
) -> concurrent.futures._base.DoneAndNotDoneFutures[Any]:
    """Wait as `concurrent.futures.wait` does, for futures in any arrangement.

    Returns the sets `done` and `not_done`.
    """
    found = _found(futures)
    with _interruptible(found):
        return concurrent.futures.wait(found, timeout, return_when)


def _each(found: list[Future[Any]], ended: Iterator[Future[Any]]) -> Iterator[Future[Any]]:
    with _interruptible(found):
        yield from ended


@contextmanager
def _interruptible(found: list[Future[Any]]) -> Iterator[None]:
    """Tell who interrupts the waiting what goes on, as a single future does."""
    try:
        yield
    except KeyboardInterrupt:
        for kernel in _kernels_of(found):
            sys.stderr.write(kernel.interrupted() + "\n")
        raise


def _found(futures: Any) -> list[Future[Any]]:
    """Return the futures that somebody is about to wait for; their kernels are told."""
    found = list(walk_futures(lasting(futures)))
    for kernel in _kernels_of(found):
        kernel.before_wait()
    return found


def _kernels_of(found: list[Future[Any]]) -> set[Owner]:
    ours = (future for future in found if isinstance(future, KernelFuture) and not future.done())
    return {future._kernel for future in ours}
