"""Lanes that outlive their kernel: what the next one finds, and what it is told of it."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.executors.protocol import Held, NodeUp, Receipt, Recovered
from nbflow.wire.messages import Call
from tests.contracts.executors import PATIENCE, Driver, Life, life
from tests.executors.lanes import LanesExecutor

__all__ = ["life"]


class Kernels:
    """One kernel after the other, with the same pilot."""

    def __init__(self) -> None:
        self.count = 1
        self.executor = LanesExecutor(workers=2, beat=0.2, run="run1")
        self.driver = Driver(self.executor)
        assert len(self.driver.slots) == 2

    def send(self, *calls: Call) -> Held:
        slot = self.driver.slots[0]
        self.driver.send(*calls, slot=slot)
        return Held(f"run{self.count}", slot)

    def restart(self) -> None:
        """Have the next kernel take the place of this one, which signed no receipt that is not signed."""
        self.executor.lanes.leave()
        self.count += 1
        before, self.executor = self.executor, LanesExecutor(beat=0.2, run=f"run{self.count}")
        self.executor.take_over(before)
        self.driver = Driver(self.executor)
        self.driver._slots = []
        self.executor.start(self.driver._posted.put)
        self.executor.lanes.await_back(PATIENCE)
        assert self.driver.wait_until(lambda: self.happened(NodeUp)) is None

    def adopt(self, held: Held, former: Call, now: Call) -> Returned | TryFailed:
        self.executor.lanes.adopt(held, (former.task, former.try_id), now)
        return self.driver.end_of(now)

    def happened(self, kind: type) -> list:
        return [one for one in self.driver.seen if isinstance(one, kind)]

    def sign(self) -> None:
        for receipt in self.happened(Receipt):
            receipt.sign()

    def wait_for_slots(self) -> None:
        self.driver.wait_until(lambda: len(self.driver.slots) == 2)


@pytest.fixture
def kernels() -> Iterator[Kernels]:
    kernels = Kernels()
    yield kernels
    for pilot in kernels.executor.pilots:
        pilot.process.send_signal(signal.SIGCONT)
    kernels.driver.close()


def until(path: Path):
    def wait(path: str) -> str:
        print("waiting")
        Path(path + ".started").touch()
        while not Path(path).exists():
            time.sleep(0.01)
        return "done"

    return wait, str(path)


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_F4_a_call_that_runs_is_taken_over_with_what_it_prints(kernels: Kernels, tmp_path: Path) -> None:
    former = kernels.driver.call(*until(tmp_path / "go"))
    held = kernels.send(former)
    wait_for(tmp_path / "go.started")
    kernels.restart()
    (recovered,) = kernels.happened(Recovered)
    assert held in recovered.held
    now = kernels.driver.call(lambda: "another")
    kernels.executor.lanes.adopt(held, (former.task, former.try_id), now)
    (tmp_path / "go").touch()
    end = kernels.driver.end_of(now)
    assert isinstance(end, Returned)
    assert end.value == "done"
    assert kernels.driver.printed(now)["stdout"].text == "waiting\n"
    kernels.wait_for_slots()
    assert kernels.executor.lanes.held() == []


def test_F4_results_that_are_not_on_disk_are_said_to_the_next_kernel_and_the_one_after(
    kernels: Kernels,
) -> None:
    calls = [kernels.driver.call(lambda n: n, n) for n in range(3)]
    held = kernels.send(*calls)
    for call in calls:
        kernels.driver.end_of(call)
    kernels.restart()
    for number, call in enumerate(calls[:2]):
        end = kernels.adopt(held, call, kernels.driver.call(len, ()))
        assert isinstance(end, Returned)
        assert end.value == number
    kernels.restart()
    for number, call in enumerate(calls):  # of the first two, too: no receipt was signed
        end = kernels.adopt(held, call, kernels.driver.call(len, ()))
        assert isinstance(end, Returned)
        assert end.value == number


def test_F4_what_is_on_disk_is_held_no_longer(kernels: Kernels) -> None:
    call = kernels.driver.call(lambda: 1)
    kernels.send(call)
    kernels.driver.end_of(call)
    kernels.driver.wait_until(lambda: kernels.happened(Receipt))
    node = kernels.executor.lanes.nodes()[0]
    while node.owes:
        kernels.driver.take_all()
        kernels.sign()
        kernels.driver.seen.clear()
        time.sleep(0.01)
    time.sleep(0.1)  # until the lane has heard it
    kernels.restart()
    kernels.wait_for_slots()
    assert kernels.executor.lanes.held() == []


def test_F4_a_try_that_never_arrived_is_expired_once_its_slot_is_done(
    kernels: Kernels, tmp_path: Path
) -> None:
    former, absent = kernels.driver.call(*until(tmp_path / "go")), kernels.driver.call(lambda: 1)
    held = kernels.send(former)
    wait_for(tmp_path / "go.started")
    kernels.restart()
    now = kernels.driver.call(lambda: 2)
    kernels.executor.lanes.adopt(held, (absent.task, absent.try_id), now)
    (tmp_path / "go").touch()
    end = kernels.driver.end_of(now)
    assert isinstance(end, TryFailed)
    assert end.cause is Cause.EXPIRED
    unknown = kernels.adopt(Held("run7", held.slot), former, kernels.driver.call(lambda: 3))
    assert isinstance(unknown, TryFailed)
    assert unknown.cause is Cause.EXPIRED


def test_what_nobody_wants_is_stopped_and_let_go(kernels: Kernels, life: Life) -> None:
    def hold(path: str) -> None:
        with Path(path).open("w") as file:
            file.write("!")
            file.flush()
            time.sleep(60)

    kernels.send(kernels.driver.call(lambda: 1), kernels.driver.call(hold, life.path))
    life.wait_for_start()
    kernels.restart()
    assert kernels.executor.lanes.held()
    kernels.executor.lanes.disown("run1")
    assert life.is_over()
    kernels.wait_for_slots()
    assert kernels.executor.lanes.held() == []
    assert isinstance(kernels.driver.run(lambda: 2), Returned)


def test_a_call_that_was_taken_over_can_be_dropped(kernels: Kernels, tmp_path: Path) -> None:
    former = kernels.driver.call(*until(tmp_path / "go"))
    held = kernels.send(former)
    wait_for(tmp_path / "go.started")
    kernels.restart()
    now = kernels.driver.call(lambda: 1)
    kernels.executor.lanes.adopt(held, (former.task, former.try_id), now)
    kernels.driver.executor.drop([(now.task, now.try_id)])
    kernels.wait_for_slots()
    assert [end for end in kernels.driver.ends() if end.task == now.task] == []


def test_F6_a_lane_that_was_silent_while_kernels_changed_is_found_when_it_speaks(kernels: Kernels) -> None:
    former = kernels.driver.call(lambda: 5)
    held = kernels.send(former)
    kernels.driver.end_of(former)
    pilot = kernels.executor.pilots[0]
    pilot.kill(signal.SIGSTOP)
    kernels.executor.lanes.leave()
    kernels.count += 1
    before, kernels.executor = kernels.executor, LanesExecutor(beat=0.2, run="run2")
    kernels.executor.take_over(before)
    kernels.driver = Driver(kernels.executor)
    kernels.driver._slots = []
    kernels.executor.start(kernels.driver._posted.put)
    kernels.executor.lanes.await_back(0.2)
    assert kernels.executor.lanes.held() == []
    pilot.kill(signal.SIGCONT)
    kernels.driver.wait_until(lambda: kernels.happened(Recovered))
    end = kernels.adopt(held, former, kernels.driver.call(len, ()))
    assert isinstance(end, Returned)
    assert end.value == 5
