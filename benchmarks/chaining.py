"""Chain tasks on plain futures, as people do by hand where an executor knows no dependencies."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

__all__ = ["chained"]

Call = Callable[..., Future[Any]]


def chained(submit: Call, function: Callable[..., Any]) -> Call:
    """Return a version of `function` whose positional arguments may be futures.

    The call is submitted by the callback of the parent that finishes last.
    """

    def call(*arguments: Any) -> Future[Any]:
        parents = [argument for argument in arguments if isinstance(argument, Future)]
        if not parents:
            return submit(function, *arguments)
        outcome: Future[Any] = Future()

        def launch() -> None:
            values = [
                argument.result() if isinstance(argument, Future) else argument for argument in arguments
            ]
            submit(function, *values).add_done_callback(lambda inner: _pass_on(inner, outcome))

        _when_all_done(parents, launch, outcome)
        return outcome

    return call


def _when_all_done(parents: list[Future[Any]], launch: Callable[[], None], outcome: Future[Any]) -> None:
    lock = threading.Lock()
    awaited = len(parents)

    def count_down(_: Future[Any]) -> None:
        nonlocal awaited
        with lock:
            awaited -= 1
            is_last = awaited == 0
        if not is_last:
            return
        try:
            launch()
        except Exception as error:  # noqa: BLE001  (becomes the outcome)
            outcome.set_exception(error)

    for parent in parents:
        parent.add_done_callback(count_down)


def _pass_on(inner: Future[Any], outcome: Future[Any]) -> None:
    error = inner.exception()
    if error is None:
        outcome.set_result(inner.result())
    else:
        outcome.set_exception(error)
