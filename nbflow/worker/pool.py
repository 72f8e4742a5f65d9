"""Own the door to a supervisor and its workers: callable from any thread, never blocking, safe to close."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Sequence
from typing import final
from weakref import WeakSet

from nbflow.core.events import TryFailed
from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.states import Cause
from nbflow.wire.messages import Call
from nbflow.worker.happenings import Exit, Post, Try
from nbflow.worker.inbox import Inbox
from nbflow.worker.losses import closed
from nbflow.worker.supervisor import Order, Supervisor

__all__ = ["Pool"]


@final
class Pool:
    """Run calls in a number of worker processes, each one at a time, or as many as it has threads for them.

    The processes are started afresh, never forked from this one, and import nothing of the user's until a
    call does.
    """

    def __init__(self, label: ExecutorId, workers: int, threads: int = 1) -> None:
        self._label = label
        self._workers = workers
        self._threads = threads
        self._inbox: Inbox[Order] = Inbox()
        self._post: Post | None = None
        self._thread: threading.Thread | None = None
        self._supervisor: Supervisor | None = None
        self._pid = os.getpid()

    def start(self, post: Post) -> tuple[SlotId, ...]:
        """Start the workers and return their slots, which take calls from now on."""
        self._post = post
        self._supervisor = Supervisor(self._label, self._workers, self._threads, post, self._inbox)
        # A daemon: an interpreter that exits without `close` must not wait for it. The workers notice.
        self._thread = threading.Thread(target=self._supervisor.run, name="nbflow-pool", daemon=True)
        self._thread.start()
        _pools.add(self)
        return self._supervisor.slots

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Give calls to a slot, after those that it has; each ends in one Returned or TryFailed."""
        if self._supervisor is not None and self._supervisor.send_now(slot, calls):
            return
        if not self._inbox.put(lambda crew: crew.send(slot, calls)) and self._post is not None:
            self._post([TryFailed(call.task, call.try_id, Cause.LOST, closed(call)) for call in calls])

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries, running or not; nothing is reported for them.

        A worker is killed only when it runs one of them; what it had not started comes back as
        TryFailed(RECALLED).
        """
        self._inbox.put(lambda crew: crew.drop(tries))

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started, each as TryFailed(RECALLED)."""
        self._inbox.put(lambda crew: crew.recall(tries))

    def close(self, how: Exit) -> None:
        """End all worker processes and the thread, and wait for them. Does nothing in a forked child."""
        if self._thread is None or self._pid != os.getpid():
            return
        self._inbox.put(lambda crew: crew.close(how))
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _abandon(self) -> None:
        if self._supervisor is not None:
            self._supervisor.abandon()


_pools: WeakSet[Pool] = WeakSet()


def _abandon_pools() -> None:
    for pool in list(_pools):
        pool._abandon()


os.register_at_fork(after_in_child=_abandon_pools)
