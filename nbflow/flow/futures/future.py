"""Own the promises that users hold: real `concurrent.futures.Future`s, cheap, awaitable, reopenable.

A future makes its condition only when somebody waits: a standard one costs 1.8 us and 1.6 kB to make, this
one a tenth of both. Only the dataflow kernel settles and reopens futures, and it runs their callbacks in a
thread of their own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, FINISHED, PENDING
from traceback import TracebackException
from typing import Any, Generic, TypeVar, final

from nbflow.core.states import State
from nbflow.core.task import Task
from nbflow.data.file import File
from nbflow.flow.futures.cards import card, plain_value
from nbflow.flow.futures.handle import TaskHandle
from nbflow.flow.futures.owner import Owner
from nbflow.wire.pickling import Refused

__all__ = ["AppFuture", "Callback", "DataFuture", "KernelFuture"]

T = TypeVar("T")
Callback = Callable[[Any], object]

LOOK_SECONDS = 1.0
"""How often who waits looks whether anything keeps the task that a person has to decide about."""

_KEPT = (State.HELD, State.PAUSED)
_SETTLED = (FINISHED, CANCELLED_AND_NOTIFIED)
_WORKING = (State.RUNNING, State.STAGING_OUT, State.JOINING)

_HANDSHAKE = threading.Lock()
"""Held for the instant in which a future gets its condition, or is settled without one."""


class KernelFuture(concurrent.futures.Future[T], Generic[T]):
    """Be a future that a dataflow kernel settles, and may reopen when its task is retried.

    `wait` and `as_completed` of the standard library look at private attributes of futures; here these are
    properties that come into being when somebody looks.
    """

    __slots__ = (
        "_callbacks",
        "_cond",
        "_exception",
        "_kernel",
        "_origin",
        "_result",
        "_state",
        "_task",
        "_watchers",
    )

    def __init__(self, kernel: Owner, task: Task) -> None:
        self._kernel = kernel
        self._task = task
        self._state = PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._cond: threading.Condition | None = None
        self._callbacks: list[Callback] | None = None
        self._watchers: list[Any] | None = None

    @property
    def task(self) -> TaskHandle:
        """Return the task behind the promise: its state, attempts, output, retry."""
        handle: TaskHandle = self._kernel.handle(self._task)
        return handle

    # What a future is asked

    def done(self) -> bool:
        """Tell whether the result, an exception or a cancellation is there."""
        return self._state in _SETTLED

    def cancelled(self) -> bool:
        """Tell whether the task was cancelled."""
        return self._state == CANCELLED_AND_NOTIFIED

    def running(self) -> bool:
        """Tell whether a try of the task is on a slot, or its children are waited for."""
        return self._state == PENDING and self._task.state in _WORKING

    def result(self, timeout: float | None = None) -> T:
        """Return the result, waiting at most `timeout` seconds for it.

        Raises what the task raised, `CancelledError`, or `TimeoutError` when the time is up. An interrupt
        (the stop button, Ctrl-C) ends the waiting, never the task.
        """
        if self._state not in _SETTLED:
            self._await(timeout)
        if self._state == CANCELLED_AND_NOTIFIED:
            raise CancelledError(f"task {self._task.id} was cancelled; future.task.retry() runs it again")
        if self._exception is not None:
            # The traceback holds this frame: without its `self` there is no cycle. It starts where the task
            # raised, each time: else it would grow with every cell that asks.
            try:
                raise self._exception.with_traceback(self._origin)
            finally:
                del self
        return self._result  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception of the task, or None; wait and raise as `result` does."""
        if self._state not in _SETTLED:
            self._await(timeout)
        if self._state == CANCELLED_AND_NOTIFIED:
            raise CancelledError(f"task {self._task.id} was cancelled")
        return self._exception

    def cancel(self) -> bool:
        """Cancel the task, also while it runs; return whether it is cancelled now."""
        if self._state not in _SETTLED:
            self._kernel.cancel([self._task])
        return self.cancelled()

    def __await__(self) -> Generator[Any, None, T]:
        # Not asyncio.wrap_future: that would cancel the task whenever the one who waits is cancelled.
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not promise.done():
                promise.set_result(None)

        self.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(wake))
        yield from promise
        return self.result()

    def __repr__(self) -> str:
        state = self._task.state.name.lower().replace("_", " ")
        name = self._kernel.app_name(self._task)
        return f"<{type(self).__name__} of {name}, task {self._task.id}: {state}>"

    def _repr_html_(self) -> str:
        if self._state != FINISHED:
            return card(repr(self), [])
        error = self._exception
        if error is None:
            return card(repr(self), [("result", plain_value(self._result))])
        return card(
            repr(self), [("error", f"{type(error).__name__}: {TracebackException(type(error), error, None)}")]
        )

    def __reduce__(self) -> Any:
        raise Refused(
            "a future is of this process only: an app that is given one gets its result, also in lists, "
            "tuples, sets, values of dicts and dataclasses, at any depth; elsewhere pass its result()"
        )

    def _await(self, timeout: float | None) -> None:
        self._kernel.before_wait()
        end = math.inf if timeout is None else time.monotonic() + timeout
        is_told = False
        try:
            while not self._wait_until(min(end, time.monotonic() + LOOK_SECONDS)):
                kept = self._task.state in _KEPT
                if time.monotonic() >= end:
                    stands = "is kept waiting" if kept else "goes on"
                    raise TimeoutError(f"task {self._task.id} is not done after {timeout:.3g} s; it {stands}")
                if kept and not is_told and (why := self._kernel.why_waiting(self._task)):
                    is_told = True
                    sys.stderr.write(f"nbflow: {why}\n")
        except KeyboardInterrupt:
            sys.stderr.write(self._kernel.interrupted() + "\n")
            raise

    def _wait_until(self, end: float) -> bool:
        with self._condition:
            return self._condition.wait_for(self.done, max(0.0, end - time.monotonic()))

    # What the standard library looks at

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        if self._cond is None:
            with _HANDSHAKE:
                if self._cond is None:
                    self._cond = threading.Condition()
        return self._cond

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        if self._watchers is None:
            self._watchers = []
        return self._watchers

    @property
    def _done_callbacks(self) -> list[Callback]:
        if self._callbacks is None:
            self._callbacks = []
        return self._callbacks

    # What the dataflow kernel does

    def _settle(
        self, result: Any, error: BaseException | None, *, cancelled: bool = False
    ) -> Sequence[Callback]:
        """Settle the future, wake who waits, and return the callbacks that are due now."""
        self._result = result
        self._exception = error
        if error is not None:
            self._origin = error.__traceback__
        state = CANCELLED_AND_NOTIFIED if cancelled else FINISHED
        # The state changes under the lock of who waits, or while there is none: the standard
        # library's `wait` and `as_completed` count a future twice that changes while they look at it.
        with _HANDSHAKE:
            cond = self._cond
            if cond is None:
                self._state = state
                return ()
        with cond:
            self._state = state
            for watcher in self._watchers or ():
                if cancelled:
                    watcher.add_cancelled(self)
                elif error is not None:
                    watcher.add_exception(self)
                else:
                    watcher.add_result(self)
            cond.notify_all()
            callbacks, self._callbacks = self._callbacks, None
        return callbacks or ()

    def _reopen(self) -> None:
        with self._condition:
            # The old outcome stays until the next: who was woken by it may not have read it yet.
            self._state = PENDING


@final
class AppFuture(KernelFuture[T], Generic[T]):
    """Promise the result of one call of an app."""

    __slots__ = ("_outputs",)

    def __init__(self, kernel: Owner, task: Task) -> None:
        super().__init__(kernel, task)
        self._outputs: tuple[DataFuture, ...] = ()

    @property
    def tid(self) -> int:
        """Return the task's number in its run, under the name that Parsl gives it."""
        return self._task.id

    @property
    def outputs(self) -> list[DataFuture]:
        """Return one future for each file in the call's `outputs`, in their order."""
        return list(self._outputs)

    @property
    def stdout(self) -> str | None:
        """Return the path of the file that takes the task's standard output, or None."""
        return self.task.stdout

    @property
    def stderr(self) -> str | None:
        """Return the path of the file that takes the task's standard error, or None."""
        return self.task.stderr

    def __getitem__(self, key: Any) -> AppFuture[Any]:
        """Return a future of `result[key]`: a small task of its own, run in this process."""
        item: AppFuture[Any] = self._kernel.derive("getitem", self, key)
        return item

    def __iter__(self) -> Any:
        raise TypeError(
            "a future cannot be iterated before its result is known; use future[i] or future.result()"
        )


@final
class DataFuture(KernelFuture[File]):
    """Promise a file that a task writes; as an argument of another app it becomes the `File`."""

    __slots__ = ("file",)

    def __init__(self, kernel: Owner, task: Task, file: File) -> None:
        super().__init__(kernel, task)
        self.file = file

    @property
    def filepath(self) -> str:
        """Return the path of the file, which may not exist yet."""
        return self.file.path

    @property
    def filename(self) -> str:
        """Return the last part of the path."""
        return self.file.name
