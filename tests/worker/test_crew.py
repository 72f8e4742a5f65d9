from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

from nbflow.core.events import TryFailed
from nbflow.core.ids import ExecutorId, SlotId, TaskId, TryId
from nbflow.core.states import Cause
from nbflow.wire.bundles import Bundle, Order, decode_order
from nbflow.wire.frames import Buffer
from nbflow.wire.functions import Portable
from nbflow.wire.messages import PYTHON, Call, Directive
from nbflow.wire.values import Definitions
from nbflow.worker.child import Remains
from nbflow.worker.crew import Crew
from nbflow.worker.happenings import Exit, Try
from nbflow.worker.load import Packers
from nbflow.worker.process import WorkerProcess
from tests.contracts.executors import PATIENCE, Gate


class HeldChild:
    """Keep what a worker is told, and do nothing."""

    place = "nowhere"
    has_output = False
    shares_files = False

    def __init__(self) -> None:
        self.told: list[Order] = []
        self._definitions = Definitions()

    def put(self, frames: Sequence[Buffer]) -> None:
        self.told.append(decode_order(frames, self._definitions))

    def tasks(self) -> list[list[int]]:
        return [[parcel.task for parcel in one.parcels] for one in self.told if isinstance(one, Bundle)]

    def send(self) -> None: ...

    def kill(self) -> None: ...

    def abandon(self) -> None: ...

    def bury(self) -> Remains:
        return Remains(0, "", is_oom=False)


class Hosted:
    """Be the host of a crew of one worker, whose thread is the test's."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.packers = Packers(self._waiting.put)
        self.child = HeldChild()
        self.crew = Crew(ExecutorId("held"), 1, self, self.packers, place="held")
        self.crew.start()

    @property
    def worker(self) -> WorkerProcess:
        (worker,) = self.crew.workers
        return worker

    def launch(self, slot: SlotId, threads: int) -> HeldChild:
        return self.child

    def welcome(self, worker: WorkerProcess) -> None: ...

    def watch(self, worker: WorkerProcess) -> None: ...

    def send(self, *arguments: object, directive: Directive = PYTHON) -> list[Try]:
        calls = [
            Call(TaskId(number), TryId(1), LEN, lambda argument=argument: ((argument,), {}), directive)
            for number, argument in enumerate(arguments, 1)
        ]
        self.crew.send(self.crew.slots[0], calls)
        return [(call.task, call.try_id) for call in calls]

    def go_on(self) -> None:
        """Take what one packing hands back."""
        self._waiting.get(timeout=PATIENCE)()


LEN = Portable(len).snapshot(encode=True)


@contextmanager
def packing(*others: object, directive: Directive = PYTHON) -> Iterator[tuple[Hosted, Gate, list[Try]]]:
    """Have a crew in which the first call is being packed, with the others behind it."""
    hosted, gate = Hosted(), Gate()
    tries = hosted.send(gate, *others, directive=directive)
    assert gate.is_reached.wait(PATIENCE)
    try:
        yield hosted, gate, tries
    finally:
        gate.is_open.set()
        hosted.packers.close()


def test_calls_that_come_during_a_packing_are_packed_after_it() -> None:
    with packing([1]) as (hosted, gate, _):
        hosted.crew.send(hosted.crew.slots[0], [Call(TaskId(9), TryId(1), LEN, lambda: (((),), {}), PYTHON)])
        assert hosted.child.tasks() == []
        gate.is_open.set()
        hosted.go_on()
        hosted.go_on()
        assert hosted.child.tasks() == [[1, 2], [9]]


def test_a_walltime_starts_when_its_call_was_packed() -> None:
    with packing(directive=Directive(walltime=60.0)) as (hosted, gate, _):
        assert hosted.worker.walltime is None
        gate.is_open.set()
        hosted.go_on()
        assert hosted.worker.walltime is not None


def test_a_drop_gives_up_the_packing_and_packs_the_others_anew() -> None:
    with packing([1], [2]) as (hosted, gate, tries):
        hosted.crew.drop(tries[:1])
        hosted.go_on()
        assert hosted.child.tasks() == [[2, 3]]
        gate.is_open.set()
        hosted.go_on()  # what was given up is not sent
        assert hosted.child.tasks() == [[2, 3]]
        assert hosted.crew.take_news() == []


@pytest.mark.parametrize("act", [Crew.drop, lambda crew, _: crew.recall_all()])
def test_a_crew_that_finishes_waits_for_no_packing_that_was_given_up(
    act: Callable[[Crew, list[Try]], None],
) -> None:
    with packing() as (hosted, _, tries):
        hosted.crew.close(Exit.FINISH)
        assert not hosted.worker.is_stopping
        act(hosted.crew, tries)
        assert hosted.worker.is_stopping


def test_calls_of_a_worker_that_ends_during_a_packing_are_given_back() -> None:
    with packing([1]) as (hosted, gate, _):
        hosted.worker.get_ready()
        hosted.crew.bury(hosted.worker)
        news = [one for one in hosted.crew.take_news() if isinstance(one, TryFailed)]
        assert [(one.task, one.cause) for one in news] == [(1, Cause.RECALLED), (2, Cause.RECALLED)]
        gate.is_open.set()
        hosted.go_on()
        assert hosted.child.tasks() == []
