"""Own one slot of the threads executor: a thread that runs one call after the other."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Iterable
from queue import SimpleQueue
from typing import final

from nbflow.core.ids import SlotId
from nbflow.executors.protocol import Happening, Post, Try
from nbflow.wire.messages import Call
from nbflow.worker.bash import Command
from nbflow.worker.call import attempt
from nbflow.worker.outcomes import happenings_of
from nbflow.worker.streams import ThreadOutput
from nbflow.worker.witness import testify

__all__ = ["Runner"]

POST_SECONDS = 0.005
GO_ON, END = "go on", "end"


@final
class Runner:
    """Run calls in a thread of its own, in the order in which they came.

    A call that runs belongs to who takes it out of `_running` first: the thread when it has ended, or whoever
    no longer waits for it; then the thread ends after it, unheard.
    """

    def __init__(self, slot: SlotId, post: Post) -> None:
        self.slot = slot
        self.started = 0.0
        self.is_retired = False
        self._post = post
        self._calls: deque[Call] = deque()
        self._bell: SimpleQueue[str] = SimpleQueue()
        self._running: list[Call] = []
        self._command: Command | None = None
        self._news: list[Happening] = []
        self._posting = threading.Lock()
        self._posted = 0.0
        # A daemon: a call that never ends must not keep the interpreter from ending.
        self._thread = threading.Thread(target=self._run, name=f"nbflow-{slot}", daemon=True)
        self._thread.start()

    @property
    def thread(self) -> int | None:
        """Return the identity of its thread."""
        return self._thread.ident

    @property
    def is_busy(self) -> bool:
        """Tell whether it runs a call, or has results that were not posted."""
        return bool(self._running or self._calls or self._news)

    def running(self) -> Call | None:
        """Return the call that runs now."""
        for call in self._running:
            return call
        return None

    def send(self, calls: Iterable[Call]) -> None:
        """Take calls, after those that it has."""
        self._calls.extend(calls)
        self._bell.put(GO_ON)

    def take_back(self, tries: Collection[Try] | None = None) -> list[Call]:
        """Take out and return those of the tries that have not started; all of them for None."""
        taken = []
        for call in list(self._calls):
            if tries is None or (call.task, call.try_id) in tries:
                try:
                    self._calls.remove(call)
                except ValueError:  # it started just now
                    continue
                taken.append(call)
        return taken

    def leave_alone(self, call: Call) -> bool:
        """Give up a call that runs: stop its command if it has one, hear nothing more from the thread.

        Return False when it has ended already.
        """
        try:
            self._running.remove(call)
        except ValueError:
            return False
        if self._command is not None:
            self._command.stop()
        self.post_news()
        return True

    def post_news(self) -> None:
        """Post the results that wait; callable from any thread."""
        with self._posting:
            news = self._news[:]
            if news:
                del self._news[: len(news)]
                self._post(news)
                self._posted = time.perf_counter()

    def finish(self) -> None:
        """Have the thread end when it has run what it has."""
        self._bell.put(END)

    def join(self, seconds: float | None = None) -> None:
        """Wait for the thread's end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        output = ThreadOutput()
        try:
            while self._bell.get() is GO_ON:
                if not self._run_calls(output):
                    return
                self.post_news()
        finally:
            output.close()

    def _run_calls(self, output: ThreadOutput) -> bool:
        """Run all calls that are there; return False when nobody waits for this thread any longer."""
        calls, running, news = self._calls, self._running, self._news
        while calls:
            try:
                call = calls.popleft()
            except IndexError:  # the last one was taken back just now
                break
            self.started = time.perf_counter()
            running.append(call)
            outcome = self._call(call, output)
            try:
                running.remove(call)
            except ValueError:
                return False
            news += outcome
            if time.perf_counter() - self._posted > POST_SECONDS:
                self.post_news()
            if self.is_retired:
                self.post_news()
                return False
        return True

    def _call(self, call: Call, output: ThreadOutput) -> list[Happening]:
        try:
            args, kwargs = call.arguments()
        except BaseException as trouble:  # noqa: BLE001 - a user's code raised it: the call's outcome
            return happenings_of(call, None, trouble, 0.0, output.collect())
        fn = call.function.fn
        value, error, seconds = attempt(
            fn, args, kwargs, call.directive, output, task=call.task, watch=self._note_command
        )
        self._command = None
        testimony, written = testify(error, output.collect(), fn, args, kwargs)
        return happenings_of(call, value, error, seconds, written, testimony)

    def _note_command(self, command: Command) -> None:
        self._command = command
        if not self._running:  # given up before the command was there
            command.stop()
