"""Own the adapter that runs calls in any `concurrent.futures.Executor`: Dask's, loky's, Python's own.

Bundles are encoded as for a worker process, so that functions of a notebook work. What such a pool cannot do
is not promised: a running call cannot be stopped, it is only no longer waited for. The command of a bash app
is stopped where the pool sees the files of this process.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import Executor as FuturesPool
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import final

from nbflow.core.capacity import Capacity
from nbflow.core.events import TryFailed
from nbflow.core.ids import ExecutorId, SlotId, TaskId, TryId
from nbflow.core.states import Cause
from nbflow.errors import ConfigError, NbflowError, TaskError, WorkerLost
from nbflow.executors.capacity import capacity_for
from nbflow.executors.protocol import Exit, Happening, Post, Try
from nbflow.wire.bundles import (
    Bundle,
    Outcomes,
    Parcel,
    decode_order,
    decode_report,
    encode_bundle,
    encode_outcomes,
)
from nbflow.wire.messages import Call, Kind
from nbflow.wire.outcome import Outcome
from nbflow.wire.values import Definitions
from nbflow.worker.bash import Command
from nbflow.worker.call import attempt, seconds_allowed, timed_out, title
from nbflow.worker.cores import available_cores
from nbflow.worker.losses import closed, recalled
from nbflow.worker.outcomes import failed_by, reported
from nbflow.worker.streams import ThreadOutput, captured_threads
from nbflow.worker.witness import testify

__all__ = ["FuturesExecutor", "run_frames"]

LOOK_SECONDS = 0.2
"""How often a command that runs in a foreign pool looks whether it shall stop."""


@final
class _Sent:
    """Be a bundle on its way through the pool."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = {(call.task, call.try_id): call for call in calls}
        self.future: Future[list[bytes]] | None = None
        limits = [seconds_allowed(call.directive) for call in calls]
        self.due = time.monotonic() + min((limit for limit in limits if limit is not None), default=math.inf)


@final
class FuturesExecutor:
    """Run calls in `pool`, which stays its owner's; `workers` bundles are given to it at a time."""

    is_remote = True

    def __init__(self, label: str = "futures", *, pool: FuturesPool, workers: int | None = None) -> None:
        if not callable(getattr(pool, "submit", None)):
            raise ConfigError(
                f"executor {label!r}: {pool!r} has no `submit`; give a concurrent.futures.Executor"
            )
        self.label = ExecutorId(label)
        self._pool = pool
        self._workers = workers or getattr(pool, "_max_workers", None) or available_cores()
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._sent: list[_Sent] = []
        self._definitions = Definitions()
        self._news: list[Happening] = []
        self._exit: Exit | None = None
        self._orders = Path(tempfile.mkdtemp(prefix="nbflow-futures-"))
        self._thread = threading.Thread(target=self._run, name=f"nbflow-{label}", daemon=True)

    def start(self, post: Post) -> Capacity:
        """Return as many slots as the pool has workers, as far as that can be known."""
        self._post = post
        self._thread.start()
        return capacity_for(tuple(SlotId(f"{self.label}/{n + 1}") for n in range(self._workers)))

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot; each bundle is one task of the pool."""
        if self._exit is not None:
            self._post([TryFailed(call.task, call.try_id, Cause.LOST, closed(call)) for call in calls])
        else:
            self._inbox.put(partial(self._submit, calls))

    def drop(self, tries: Collection[Try]) -> None:
        """Wait no longer for these tries; a bundle of which nothing is left is cancelled if it can be."""
        self._inbox.put(partial(self._drop, set(tries)))

    def recall(self, tries: Collection[Try]) -> None:
        """Give back the bundles of these tries that have not started."""
        self._inbox.put(partial(self._recall, set(tries)))

    def close(self, how: Exit) -> None:
        """End the thread of this adapter; the pool itself is left as it is."""
        self._exit = how
        self._inbox.put(None)
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join()

    # The thread, in which a user's code is pickled

    def _run(self) -> None:
        while not (
            self._exit is Exit.STOP or (self._exit is Exit.FINISH and not self._sent and self._inbox.empty())
        ):
            due = min((sent.due for sent in self._sent), default=math.inf)
            try:
                order = self._inbox.get(timeout=None if due == math.inf else max(0.0, due - time.monotonic()))
            except Empty:
                self._end_late()
            else:
                if order is not None:
                    order()
            self._publish()
        for sent in self._sent:
            if sent.future is not None:
                sent.future.cancel()
            self._fail(sent.calls.values(), Cause.LOST, closed)
        shutil.rmtree(self._orders, ignore_errors=True)  # which stops all commands
        self._publish()

    def _publish(self) -> None:
        if self._news:
            news, self._news = self._news, []
            self._post(news)

    def _submit(self, calls: Sequence[Call]) -> None:
        sent = _Sent(calls)
        try:
            frames, failures = encode_bundle(calls, set())
            for call, reason in failures:
                self._news.append(failed_by(call, reason))
                del sent.calls[call.task, call.try_id]
            if not sent.calls:
                return
            sent.future = self._pool.submit(run_frames, [bytes(frame) for frame in frames], str(self._orders))
        except Exception as error:  # noqa: BLE001 - whoever raised it: the calls' outcome
            self._lose(sent, error)
            return
        self._sent.append(sent)
        sent.future.add_done_callback(lambda _: self._inbox.put(partial(self._take, sent)))

    def _take(self, sent: _Sent) -> None:
        """Report what came of a bundle that has ended."""
        if sent not in self._sent:
            return
        self._sent.remove(sent)
        assert sent.future is not None
        try:
            report = decode_report(sent.future.result(), self._definitions)
        except CancelledError:
            self._fail(sent.calls.values(), Cause.RECALLED, recalled)
        except Exception as error:  # noqa: BLE001 - whatever a pool raises that loses a task
            self._lose(sent, error)
        else:
            assert isinstance(report, Outcomes)
            for outcome in report.outcomes:
                call = sent.calls.get((outcome.task, outcome.try_id))
                if call is not None:
                    self._news += reported(call, outcome)

    def _lose(self, sent: _Sent, error: Exception) -> None:
        for call in sent.calls.values():
            loss = WorkerLost(
                f"{title(call.directive, call.task)} was lost by {type(self._pool).__name__}: {error!r}. "
                "If the pool is broken, make a new one.",
                reason=type(error).__name__,
                task=call.task,
            )
            loss.__cause__ = error
            self._news.append(TryFailed(call.task, call.try_id, Cause.LOST, loss, alone=len(sent.calls) == 1))

    def _drop(self, tries: set[Try]) -> None:
        for sent in list(self._sent):
            for key in tries & sent.calls.keys():
                if sent.calls.pop(key).directive.kind is Kind.BASH:
                    _order(self._orders, *key).touch()
            if not sent.calls and sent.future is not None:
                sent.future.cancel()

    def _recall(self, tries: set[Try]) -> None:
        for sent in self._sent:
            if tries & sent.calls.keys() and sent.future is not None:
                sent.future.cancel()

    def _end_late(self) -> None:
        now = time.monotonic()
        for sent in [sent for sent in self._sent if sent.due <= now]:
            self._sent.remove(sent)
            place = f"in {type(self._pool).__name__}"
            self._fail(
                sent.calls.values(),
                Cause.TIMEOUT,
                partial(_late, place=place),
            )

    def _fail(self, calls: Iterable[Call], cause: Cause, error: Callable[[Call], TaskError]) -> None:
        self._news.extend(TryFailed(call.task, call.try_id, cause, error(call)) for call in calls)


def _late(call: Call, *, place: str) -> TaskError:
    return timed_out(call.directive, call.task, place)


# Where the pool runs it

_definitions = Definitions()


def run_frames(frames: list[bytes], orders: str) -> list[bytes]:
    """Run an encoded bundle in this process, and return what came of it, encoded.

    In the directory `orders` files appear for commands that shall stop; all do when it goes. Where the pool
    does not see it nothing is stopped.
    """
    bundle = decode_order(frames, _definitions)
    assert isinstance(bundle, Bundle)
    with captured_threads():
        output = ThreadOutput()
        try:
            outcomes = [_run_parcel(parcel, output, Path(orders)) for parcel in bundle.parcels]
        finally:
            output.close()
    # What is known is not known: the next bundle may come from another process.
    return [bytes(frame) for frame in encode_outcomes(outcomes, _definitions, set())]


def _run_parcel(parcel: Parcel, output: ThreadOutput, orders: Path) -> Outcome:
    task, try_id = parcel.task, parcel.try_id
    try:
        fn, (args, kwargs) = parcel.open()
    except NbflowError as error:
        return Outcome(task, try_id, None, error)
    parent = os.getpid()
    watch = partial(_stop_when_told, _order(orders, task, try_id)) if orders.is_dir() else None
    value, failure, seconds = attempt(fn, args, kwargs, parcel.directive, output, task=task, watch=watch)
    if os.getpid() != parent:  # a child that the call forked, and that came out of it
        os._exit(1 if failure else 0)
    testimony, written = testify(failure, output.collect(), fn, args, kwargs)
    outcome = Outcome(task, try_id, value, failure, seconds, *(written or ()))
    outcome.testimony = testimony
    return outcome


def _order(orders: Path, task: TaskId, try_id: TryId) -> Path:
    return orders / f"{task}-{try_id}"


def _stop_when_told(order: Path, command: Command) -> None:
    """Have a thread look for the word to stop a command, for as long as it runs."""

    def look() -> None:
        while not command.is_over:
            if order.exists() or not order.parent.is_dir():
                command.stop()
                return
            time.sleep(LOOK_SECONDS)

    threading.Thread(target=look, name="nbflow-orders", daemon=True).start()
