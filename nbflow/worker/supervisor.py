"""Own the thread in which a crew of worker processes of this machine is run.

Commands come through an inbox, happenings leave through `post`. What needs neither a user's code nor waiting
may be sent from the thread that asks for it, while this one waits.
"""

from __future__ import annotations

import math
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, final

from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.states import Cause
from nbflow.wire.frames import CorruptMessage
from nbflow.wire.messages import Call
from nbflow.worker.child import ChildProcess, environment_for
from nbflow.worker.crew import Crew
from nbflow.worker.happenings import Post
from nbflow.worker.host import Hosted
from nbflow.worker.inbox import Inbox
from nbflow.worker.load import Packers
from nbflow.worker.losses import OomWatch, closed
from nbflow.worker.process import Ending

__all__ = ["Order", "Supervisor"]


@final
class Supervisor:
    """Run a crew: wait for what its workers say, hand it over, send what their sockets take."""

    def __init__(
        self, label: ExecutorId, workers: int, threads: int, post: Post, inbox: Inbox[Order]
    ) -> None:
        self._workers = workers
        self._is_shared = threads > 1
        self._post = post
        self._inbox = inbox
        self._acting = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._packers = Packers(lambda then: inbox.put(lambda _: then()))
        self._oom = OomWatch()
        self._crew = Crew(label, workers, self, self._packers, place=label, threads=threads)
        self.slots: Final = self._crew.slots

    def run(self) -> None:
        """Serve until told to close; then nothing of the crew is left."""
        self._selector.register(self._inbox, selectors.EVENT_READ)
        try:
            with self._acting:
                self._crew.start()
            while not self._crew.is_over:
                self._turn()
        finally:
            # Also when there is a mistake in here: every call gets its answer.
            self._inbox.close()
            with self._acting:
                self._crew.lose_all(Cause.LOST, closed)
                self._selector.close()
                for order in self._inbox.take():
                    order(self._crew)
            self._publish()
            self._packers.close()

    def send_now(self, slot: SlotId, calls: Sequence[Call]) -> bool:
        """Send calls to a slot from any thread, at once, if that needs neither waiting nor a user's code.

        Returns whether they were sent. It saves short calls the way through another thread, a fifth of
        their round trip.
        """
        if self._inbox or self._is_shared or not self._acting.acquire(blocking=False):
            return False
        try:
            worker = self._crew.find(slot)
            if worker is None or not self._crew.is_open or not worker.takes_more:
                return False
            if any(call.directive.walltime is not None for call in calls) or not worker.send_plain(calls):
                return False
            if worker.child.has_output:
                self._inbox.put(lambda _: self.watch(worker))
            return True
        finally:
            self._acting.release()

    def abandon(self) -> None:
        """Close all sockets of this process: a forked child, which must not keep the workers alive."""
        for worker in list(self._crew.workers):
            worker.child.abandon()

    # What the crew asks for

    def launch(self, slot: SlotId, threads: int) -> ChildProcess:
        """Start a worker process."""
        return ChildProcess(self._oom, environment_for(self._workers), threads)

    def welcome(self, worker: Hosted) -> None:
        """Have the selector tell what a worker and its keeper say."""
        child = _child(worker)
        self._selector.register(child.sock, selectors.EVENT_READ, worker)
        self._selector.register(child.line, selectors.EVENT_READ, worker)

    def watch(self, worker: Hosted) -> None:
        """Have the selector tell when the rest of what has to be sent can be sent."""
        child = _child(worker)
        if child.is_silent or worker.is_over:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.has_output else 0)
        if events != self._selector.get_key(child.sock).events:
            self._selector.modify(child.sock, events, worker)

    # The loop

    def _turn(self) -> None:
        due = self._crew.next_due()
        timeout = None if due == math.inf else max(0.0, due - time.monotonic())
        ready = self._inbox.wait(self._selector, timeout)
        with self._acting:
            for key, events in ready:
                worker: Hosted = key.data
                if worker.is_over:
                    continue
                if events & selectors.EVENT_WRITE:
                    worker.child.send()
                    self.watch(worker)
                if events & selectors.EVENT_READ:
                    self._hear(worker, is_keeper=key.fileobj is _child(worker).line)
            for order in self._inbox.take():
                order(self._crew)
            if due != math.inf:
                self._crew.act_on_time(time.monotonic())
        self._publish()

    def _hear(self, worker: Hosted, *, is_keeper: bool) -> None:
        child = _child(worker)
        if is_keeper:
            if child.hear_keeper():
                self._bury(worker, child)
            return
        try:
            messages = child.receive()
        except CorruptMessage:
            worker.end(Ending.CORRUPT)
            messages = []
        self._crew.front.hear(worker, messages)
        if child.is_silent or worker.ending is Ending.CORRUPT:
            self._selector.unregister(child.sock)
            child.is_silent = True

    def _bury(self, worker: Hosted, child: ChildProcess) -> None:
        self._selector.unregister(child.line)
        if not child.is_silent:
            self._selector.unregister(child.sock)
        worker.is_over = True
        self._crew.front.hear(worker, child.receive_last())
        self._crew.front.bury(worker)

    def _publish(self) -> None:
        if self._crew.news:
            self._post(self._crew.take_news())


def _child(worker: Hosted) -> ChildProcess:
    assert isinstance(worker.child, ChildProcess)
    return worker.child


Order = Callable[[Crew], None]
"""What a crew is told to do."""
