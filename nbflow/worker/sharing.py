"""Own worker processes that several slots share, each slot with a thread of its own.

It stands between a crew, which sees a worker for each slot, and the host of the processes. A thread cannot
be stopped. One whose call was dropped, or is out of its walltime, is left to itself, and another takes its
place; the process is replaced when nothing else runs in it, and at the latest when as many threads were left
as it has places. What else ran there then goes elsewhere and is charged nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, final

from nbflow.core.ids import SlotId
from nbflow.wire.frames import Buffer
from nbflow.wire.messages import Call, Kind
from nbflow.worker.child import Child, Remains
from nbflow.worker.host import Front, Host, Hosted
from nbflow.worker.process import Ending, WorkerProcess
from nbflow.worker.threads import LEAVE, number_of, tagged

__all__ = ["Sharing", "are_alone"]


@final
class _Process:
    """Be a process, with the threads that slots have in it, and the numbers of those that were left."""

    def __init__(self, child: Child) -> None:
        self.child: Final = child
        self.is_over = False
        self.ending: Ending | None = None
        self.threads: dict[int, _Thread] = {}
        self.left: set[int] = set()
        self.numbers = itertools.count(1)

    @property
    def is_idle(self) -> bool:
        """Tell whether no thread has anything to do but those that were left."""
        return all(thread.worker.is_idle for thread in self.threads.values())

    def end(self, ending: Ending) -> None:
        """Have it killed with all that descends from it."""
        if self.ending is None:
            self.ending = ending
            self.child.kill()


@final
class _Thread:
    """Be a worker's child that is a thread of a process; `worker` is set when it is known."""

    worker: WorkerProcess

    def __init__(self, process: _Process, give_up: Callable[[_Thread], None]) -> None:
        self.process: Final = process
        self.number: Final = next(process.numbers)
        self.remains = Remains(0, "", is_oom=False)
        self._give_up = give_up
        process.threads[self.number] = self
        self.put(())

    @property
    def place(self) -> str:
        """Return where it is, for messages."""
        return f"thread {self.number} of {self.process.child.place}"

    @property
    def has_output(self) -> bool:
        """Tell whether something is still to be sent."""
        return self.process.child.has_output

    @property
    def shares_files(self) -> bool:
        """Tell whether it sees the files and the Python environment of this process."""
        return self.process.child.shares_files

    def put(self, frames: Sequence[Buffer]) -> None:
        """Queue one message for it."""
        self.process.child.put(tagged(self.number, frames))

    def send(self) -> None:
        """Send what can be sent without waiting."""
        self.process.child.send()

    def kill(self) -> None:
        """Give it up."""
        self._give_up(self)

    def bury(self) -> Remains:
        """Return how its process ended, if it has."""
        return self.remains

    def abandon(self) -> None:
        """Let go of its process at once."""
        self.process.child.abandon()


@final
class Sharing:
    """Give each slot a thread, `threads` of them in one process; `later` calls in the crew's thread."""

    def __init__(
        self, host: Host, threads: int, crew: Front, later: Callable[[Callable[[], None]], object]
    ) -> None:
        self._host = host
        self._threads = threads
        self._crew = crew
        self._later = later
        self._processes: list[_Process] = []

    # What the crew asks for

    def launch(self, slot: SlotId, threads: int) -> Child:
        """Return a thread, or with one for a process of its own. Raises OSError."""
        if threads == 1:
            return self._host.launch(slot, 1)
        for process in self._processes:
            if len(process.threads) < threads and process.ending is None:
                return _Thread(process, self._give_up)
        process = _Process(self._host.launch(slot, threads))
        self._processes.append(process)
        self._host.welcome(process)
        return _Thread(process, self._give_up)

    def welcome(self, worker: WorkerProcess) -> None:
        """Be told of a new worker."""
        if isinstance(worker.child, _Thread):
            worker.child.worker = worker
            worker.child.send()
        else:
            self._host.welcome(worker)

    def watch(self, worker: WorkerProcess) -> None:
        """Be told that a worker may have output left to send."""
        child = worker.child
        self._host.watch(child.process if isinstance(child, _Thread) else worker)

    # What the host tells

    def hear(self, worker: Hosted, messages: Iterable[Sequence[Buffer]]) -> None:
        """Take what a process says."""
        if not isinstance(worker, _Process):
            self._crew.hear(worker, messages)
            return
        for frames in messages:
            thread = worker.threads.get(number_of(frames))
            if thread is not None:
                self._crew.hear(thread.worker, [frames[1:]])
            elif frames[1] == LEAVE:
                worker.left.discard(number_of(frames))
        self._replace_if_due(worker)

    def bury(self, worker: Hosted) -> None:
        """Take leave of a process: each of its threads is gone."""
        if not isinstance(worker, _Process):
            self._crew.bury(worker)
            return
        self._processes.remove(worker)
        remains = worker.child.bury()
        in_hand = sum(len(thread.worker.hand) for thread in worker.threads.values())
        for thread in list(worker.threads.values()):
            thread.remains = replace(remains, others=in_hand - len(thread.worker.hand))
            thread.worker.ending = thread.worker.ending or worker.ending
            self._crew.bury(thread.worker)

    # Threads that cannot be stopped

    def _give_up(self, thread: _Thread) -> None:
        process, worker = thread.process, thread.worker
        if worker.ending not in (Ending.DROPPED, Ending.TIMEOUT):
            process.end(worker.ending or Ending.CLOSED)
            return
        if process.threads.pop(thread.number, None) is None:
            return
        thread.put([LEAVE])
        thread.send()
        self._host.watch(process)
        self._later(lambda: self._crew.bury(worker))
        if worker.hand:
            process.left.add(thread.number)
            # A command is stopped, which ends its thread.
            if next(iter(worker.hand.values())).directive.kind is not Kind.BASH:
                self._replace_if_due(process)

    def _replace_if_due(self, process: _Process) -> None:
        if process.left and (process.is_idle or len(process.left) >= self._threads):
            process.end(Ending.DROPPED)


def are_alone(calls: Sequence[Call]) -> bool:
    """Tell whether calls need a process of their own: what was granted holds for all threads of one."""
    return bool(calls) and calls[0].grant is not None
