"""Own the recording of failed calls beside the flow loop: it only hands them over.

What a worker took down goes to the disk with the call itself, function and arguments as they were sent: that
is all there is of a call whose worker died.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import CodeType, FunctionType
from typing import Any, NamedTuple, final

from nbflow.core.events import TryFailed
from nbflow.core.ids import AppId, TaskId, TryId
from nbflow.core.task import Task
from nbflow.flow.futures.future import KernelFuture
from nbflow.flow.futures.inputs import Invocation
from nbflow.flow.record import failure_text
from nbflow.flow.spec import AppSpec
from nbflow.postmortem.capsule import Capsule
from nbflow.postmortem.pytest_file import reached
from nbflow.postmortem.store import record_path, write
from nbflow.wire.capsule import CallRecord, Variable, name_arguments, pack_function
from nbflow.wire.secrecy import Veil, has_secret_name, written_secrets
from nbflow.worker.witness import keep

__all__ = ["Capsules"]

log = logging.getLogger("nbflow")

MOST_WAITING = 2000
MOST_NBYTES = 256 * 1024 * 1024
"""What the records of one run may take; failures beyond that leave their rows in the journal only."""
FUNCTION_NBYTES = 96 * 1024
ARGUMENTS_NBYTES = 192 * 1024


class _Failure(NamedTuple):
    task: TaskId
    try_id: TryId
    app: AppId
    call: Invocation
    event: TryFailed
    time: float


@final
class Capsules:
    """Write one record for each failed task of a run; there is no thread before the first of them."""

    def __init__(self, run: str, directory: Path, spec_of: Callable[[AppId], AppSpec]) -> None:
        self._run = run
        self._directory = directory
        self._spec_of = spec_of
        self._queue: SimpleQueue[_Failure | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._nbytes = 0
        self._has_warned = False

    def keep(self, task: Task, event: TryFailed) -> None:
        """Have a failure recorded; from the loop, before the task goes on."""
        if self._queue.qsize() >= MOST_WAITING:
            self._warn("failures come faster than they can be recorded")
            return
        # A retry may change the call.
        self._queue.put(_Failure(task.id, task.try_id, task.app, copy.copy(task.call), event, time.time()))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="nbflow-capsules", daemon=True)
            self._thread.start()

    def open(self, task: int) -> Capsule:
        """Return the record of a task's last failure. Raises NoCapsule."""
        if self._thread is not None:
            written = threading.Event()
            self._queue.put(written)
            written.wait()
        return Capsule(record_path(self._directory, task))

    def close(self) -> None:
        """Write what waits, and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    # The thread

    def _work(self) -> None:
        while (one := self._queue.get()) is not None:
            if isinstance(one, threading.Event):
                one.set()
                continue
            try:
                self._write(one)
            except Exception as error:  # noqa: BLE001 - a failure without a record is still a failure
                self._warn(f"{type(error).__name__}: {error}")

    def _write(self, failure: _Failure) -> None:
        if self._nbytes > MOST_NBYTES:
            self._warn(f"{MOST_NBYTES >> 20} MiB of failures are recorded; more are not")
            return
        spec = self._spec_of(failure.app)
        path = record_path(self._directory, failure.task)
        self._nbytes += write(path, self._record(failure, spec), failure.event.evidence or "")

    def _record(self, failure: _Failure, spec: AppSpec) -> CallRecord:
        call, event = failure.call, failure.event
        fn = call.function.fn
        named = list(_arguments(call))
        veil = Veil.of({name: value for name, value, _ in named}, *map(_secret_names, reached(fn)))
        error, text = failure_text(event.error, event.traceback)
        return CallRecord(
            run=self._run,
            task=failure.task,
            try_id=failure.try_id,
            time=failure.time,
            app=spec.name,
            kind=str(call.directive.kind),
            cause=str(event.cause),
            error=error,
            traceback=veil.over(text),
            source=veil.over(spec.row(failure.app).source or ""),
            function=_packed(call, veil),
            places=len(call.args),
            arguments=tuple(_kept(named, veil)),
        )

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("nbflow: not every failure is recorded in %s: %s", self._directory, why)


def _arguments(call: Invocation) -> Iterator[tuple[str, Any, str]]:
    """Yield name and value of each argument, and whose result it is."""
    fn = call.function.fn
    try:
        args, kwargs = call()
    except Exception:  # noqa: BLE001 - what it waited for is gone: its futures stand for it
        args, kwargs = call.args, call.kwargs
    given = (*call.args, *call.kwargs.values())
    for (name, value), one in zip(name_arguments(fn, args, kwargs), given, strict=True):
        whose = f"  # the result of task {one._task.id}" if isinstance(one, KernelFuture) else ""
        yield name, value, whose


def _kept(named: list[tuple[str, Any, str]], veil: Veil) -> Iterator[Variable]:
    left = ARGUMENTS_NBYTES
    for name, value, whose in named:
        one = keep(value, name, veil, left)
        left -= len(one.data or b"")
        yield one if not whose else Variable(name, one.text + whose, one.data)


def _secret_names(fn: FunctionType) -> dict[str, Any]:
    """Return what a function holds under secret names: globals, closure variables, literals in its source."""
    found = {name: value for name, value in list(fn.__globals__.items()) if has_secret_name(name)}
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        with suppress(ValueError):  # it has no value yet
            found[name] = cell.cell_contents
    return {**found, "secrets": _written_secrets(fn.__code__)}


@functools.lru_cache(maxsize=1024)
def _written_secrets(code: CodeType) -> list[str]:
    with suppress(OSError):  # its source is not at hand
        return written_secrets(inspect.getsource(code))
    return []


def _packed(call: Invocation, veil: Veil) -> bytes | None:
    try:
        data = pack_function(call.function, FUNCTION_NBYTES)
    except Exception:  # noqa: BLE001 - too large, or it does not travel: its source has to do
        return None
    return None if veil.hides(data) else data
