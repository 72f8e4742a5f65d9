"""Own the packing of calls beside the thread of their crew: a user's code may take long over it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Set
from queue import SimpleQueue
from typing import Final, final

from nbflow.wire.bundles import Packing
from nbflow.wire.frames import Buffer
from nbflow.wire.messages import Call
from nbflow.worker.happenings import Try

__all__ = ["Load", "Packers", "take_out"]

LEAVE_SECONDS = 0.5


@final
class Load:
    """Be calls on their way to a worker: one thread packs them, that of their crew may take any of them back.

    Only the call that is being packed cannot be taken back. `refused` are those that cannot travel.
    """

    def __init__(self, calls: Iterable[Call], known: set[int]) -> None:
        self.calls = {(call.task, call.try_id): call for call in calls}
        self.refused: list[tuple[Call, BaseException]] = []
        self._waiting = deque(self.calls.values())
        self._packing = Packing(known)

    def pack(self) -> None:
        """Pack all calls, one after the other; what is taken back meanwhile is passed over."""
        while self._waiting:
            try:
                call = self._waiting.popleft()
            except IndexError:  # the last one was taken back just now
                break
            try:
                self._packing.add(call)
            except BaseException as error:  # noqa: BLE001 - a user's code raised it: the call's outcome
                # The way to here says nothing to a user; what code of theirs raised is its cause.
                self.refused.append((call, error.with_traceback(None)))

    def take_back(self, tries: Set[Try]) -> list[Call]:
        """Take out and return those of the tries that are not being packed just now."""
        taken = []
        for key in [key for key in self.calls if key in tries]:
            try:
                self._waiting.remove(self.calls[key])
            except ValueError:  # it was begun
                if not self._packing.take_out(self.calls[key]):
                    continue
            taken.append(self.calls.pop(key))
        return taken

    def forget(self, tries: Set[Try]) -> bool:
        """Forget those of the tries that could not be taken back; return whether there are any."""
        found = tries & self.calls.keys()
        for key in found:
            del self.calls[key]
        return bool(found)

    def give_up(self) -> list[Call]:
        """Begin to pack no more of them; return those that are left, oldest first."""
        self._waiting.clear()
        return list(self.calls.values())

    def frames(self) -> list[Buffer]:
        """Return the message with the calls that are left, when all is packed; `calls` are those in it."""
        for call, _ in self.refused:
            self.calls.pop((call.task, call.try_id), None)
        return self._packing.frames()


@final
class Packers:
    """Run functions in threads that are started when none is free: one that takes long holds up no other.

    `hand_back` has a function called in the thread that asked for this.
    """

    def __init__(self, hand_back: Callable[[Callable[[], None]], object]) -> None:
        self.hand_back: Final = hand_back
        self._queue: SimpleQueue[tuple[Callable[[], None], Callable[[], None]] | None] = SimpleQueue()
        self._free = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def run(self, function: Callable[[], None], then: Callable[[], None]) -> None:
        """Let `function()`, which raises nothing, run at once, and hand back `then`; from one thread only."""
        if not self._free.acquire(blocking=False):
            # A daemon: what never ends must not keep the interpreter from ending.
            thread = threading.Thread(target=self._work, name="nbflow-packer", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._queue.put((function, then))

    def close(self) -> None:
        """End the threads, those that are busy when they are done; nobody waits long for these."""
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            function, then = job
            function()
            self._free.release()
            self.hand_back(then)
            del job, function, then  # a thread that waits keeps nothing of a user alive


def take_out(backlog: deque[Call], tries: Set[Try]) -> list[Call]:
    """Take out of a backlog, and return, the calls of these tries."""
    found = [call for call in backlog if (call.task, call.try_id) in tries]
    for call in found:
        backlog.remove(call)
    return found
