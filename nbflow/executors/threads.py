"""Own the executor that runs calls in threads of this process: no pickling, no start-up, one lock for all.

A thread cannot be stopped: a call that is dropped or out of its walltime is left to itself, and another
thread takes its place. Commands of bash apps are stopped.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from typing import final

from nbflow.core.capacity import Capacity
from nbflow.core.events import TryFailed
from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.states import Cause
from nbflow.errors import ConfigError, TaskError
from nbflow.executors.capacity import capacity_for
from nbflow.executors.protocol import Exit, Post, SlotDown, SlotUp, Try
from nbflow.executors.runner import Runner
from nbflow.wire.messages import Call
from nbflow.worker.call import seconds_allowed, timed_out, where
from nbflow.worker.cores import available_cores
from nbflow.worker.losses import closed, recalled
from nbflow.worker.streams import captured_threads

__all__ = ["ThreadsExecutor"]

LOOK_SECONDS = 0.02
"""How often walltimes are looked at, and results that wait behind a long call."""
LEAVE_SECONDS = 0.5


@final
class ThreadsExecutor:
    """Run calls in `workers` threads of this process (as many as there are cores when not given)."""

    is_remote = False

    def __init__(self, label: str = "threads", workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"executor {label!r}: workers={workers}, but it takes at least 1")
        self.label = ExecutorId(label)
        self._workers = workers or available_cores()
        self._numbers = itertools.count(1)
        self._runners: dict[SlotId, Runner] = {}
        self._of_thread: dict[int | None, Runner] = {}
        self._left: dict[int | None, Call] = {}
        self._lock = threading.RLock()
        self._busy = threading.Event()
        self._is_closed = False
        self._capture = ExitStack()

    def start(self, post: Post) -> Capacity:
        """Start the threads and return their slots."""
        self._post = post
        self._capture.enter_context(captured_threads())
        for _ in range(self._workers):
            self._add_runner()
        self._watch = threading.Thread(target=self._look, name=f"nbflow-{self.label}", daemon=True)
        self._watch.start()
        return capacity_for(tuple(self._runners))

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has."""
        with self._lock:  # else a slot that is given to another thread just now would keep them
            runner = self._runners.get(slot)
            if runner is not None:
                runner.send(calls)
        if runner is None:
            cause, error = (Cause.LOST, closed) if self._is_closed else (Cause.RECALLED, recalled)
            self._fail(calls, cause, error)
            return
        if not self._busy.is_set():
            self._busy.set()

    def drop(self, tries: Collection[Try]) -> None:
        """Forget these tries; one that runs is left to itself."""
        wanted = set(tries)
        for runner in list(self._runners.values()):
            runner.take_back(wanted)
            call = runner.running()
            if call is not None and (call.task, call.try_id) in wanted:
                self._leave(runner, call, "its call was dropped")

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started, each as TryFailed(RECALLED)."""
        wanted = set(tries)
        for runner in list(self._runners.values()):
            self._fail(runner.take_back(wanted), Cause.RECALLED, recalled)

    def close(self, how: Exit) -> None:
        """End the threads and wait for them, but not for those that were left to themselves."""
        with self._lock:
            runners = list(self._runners.values())
            if how is Exit.STOP:
                self._is_closed = True
                self._runners.clear()
        for runner in runners:
            if how is Exit.STOP:
                self._fail(runner.take_back(), Cause.LOST, closed)
                call = runner.running()
                if call is not None and runner.leave_alone(call):
                    self._fail([call], Cause.LOST, closed)
            runner.finish()
        for runner in list(self._of_thread.values()):
            runner.join(LEAVE_SECONDS if how is Exit.STOP else None)
        self._is_closed = True
        self._runners.clear()
        self._busy.set()
        self._capture.close()

    def call_of_this_thread(self) -> Call | None:
        """Return the call that the calling thread runs, None when it is no thread of this executor.

        A thread that was left to itself still runs its call, though nobody waits for it.
        """
        me = threading.get_ident()
        runner = self._of_thread.get(me)
        return runner.running() if runner is not None else self._left.get(me)

    def grow_for_this_thread(self) -> None:
        """Give the place of the calling thread, if it is one of these, to another: its call is about to wait.

        Its slot goes down; what it runs is reported when it ends, and the thread ends with it.
        """
        runner = self._of_thread.get(threading.get_ident())
        if runner is not None and not runner.is_retired:
            runner.is_retired = True
            self._replace(runner, "its call waits for others")

    # Within

    def _add_runner(self) -> SlotId:
        slot = SlotId(f"{self.label}/{next(self._numbers)}")
        runner = self._runners[slot] = Runner(slot, self._post)
        self._of_thread[runner.thread] = runner
        self._left.pop(runner.thread, None)  # the system gives a thread's identity again
        return slot

    def _fail(self, calls: Iterable[Call], cause: Cause, error: Callable[[Call], TaskError]) -> None:
        news = [TryFailed(call.task, call.try_id, cause, error(call)) for call in calls]
        if news:
            self._post(news)

    def _leave(self, runner: Runner, call: Call, reason: str) -> bool:
        """Leave a running call to itself, its place to another thread; return False when it has ended."""
        with self._lock:
            if self._is_closed or not runner.leave_alone(call):
                return False
            self._of_thread.pop(runner.thread, None)
            self._left[runner.thread] = call
            self._replace(runner, reason)
            return True

    def _replace(self, runner: Runner, reason: str) -> None:
        with self._lock:
            if self._runners.pop(runner.slot, None) is not None:
                self._fail(runner.take_back(), Cause.RECALLED, recalled)
                self._post([SlotDown(runner.slot, reason), SlotUp(self.label, self._add_runner())])

    def _look(self) -> None:
        """Be the watching thread: post results that wait behind a long call, and end walltimes."""
        while not self._is_closed:
            self._busy.wait()
            self._busy.clear()
            while not self._is_closed and any(runner.is_busy for runner in list(self._runners.values())):
                time.sleep(LOOK_SECONDS)
                for runner in list(self._runners.values()):
                    runner.post_news()
                    self._end_late(runner)

    def _end_late(self, runner: Runner) -> None:
        call, started = runner.running(), runner.started
        seconds = None if call is None else seconds_allowed(call.directive)
        if call is None or seconds is None or time.perf_counter() - started <= seconds:
            return
        if self._leave(runner, call, "its call ran out of walltime"):
            error = timed_out(call.directive, call.task, where())
            self._post([TryFailed(call.task, call.try_id, Cause.TIMEOUT, error, seconds=seconds)])
