import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.errors import WorkerLost
from nbflow.executors.protocol import Exit, NodeDown, NodeUp
from nbflow.wire.lanes import Kind, Message, pack, text_of
from nbflow.worker.facts import facts
from tests.contracts.executors import PATIENCE, Driver, Gate, Life, RemoteExecutorContract, life
from tests.executors.lanes import LanesExecutor
from tests.executors.strangers import Stranger, canary, let_in

__all__ = ["life"]


class TestLanes(RemoteExecutorContract):
    """Calls on the workers of a pilot keep every promise that those on this machine's do."""

    def make(self) -> LanesExecutor:
        return LanesExecutor()


class Lanes:
    """A driver of pilots whose patience is short."""

    def __init__(self, **patience: float) -> None:
        self.executor = LanesExecutor(workers=2, **patience)
        self.driver = Driver(self.executor)
        assert len(self.driver.slots) == 2

    @property
    def pilot(self):
        return self.executor.pilots[0]

    def happened(self, kind: type) -> list:
        return [one for one in self.driver.seen if isinstance(one, kind)]

    def wait_for(self, kind: type, count: int = 1) -> list:
        self.driver.wait_until(lambda: len(self.happened(kind)) >= count)
        return self.happened(kind)

    def restart_driver_slots(self) -> None:
        up = self.happened(NodeUp)[-1]
        self.driver.slots[:] = up.slots


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes(gone=0.5, silent=1.5, beat=0.2)
    yield lanes
    for pilot in lanes.executor.pilots:
        pilot.process.send_signal(signal.SIGCONT)
    lanes.driver.close()


def holder():
    def hold(path: str) -> None:
        with Path(path).open("w") as file:
            file.write("!")
            file.flush()
            time.sleep(60)

    return hold


def test_what_takes_long_to_pickle_holds_up_neither_the_lanes_nor_another_slot(lanes: Lanes) -> None:
    gate, driver = Gate(), lanes.driver
    slow, after, other = driver.call(len, gate), driver.call(len, [1]), driver.call(len, [2])
    driver.send(slow, after)
    assert gate.is_reached.wait(PATIENCE)
    driver.send(other, slot=driver.slots[1])
    assert isinstance(driver.end_of(other), Returned)
    driver.executor.recall([(call.task, call.try_id) for call in (slow, after)])
    end = driver.end_of(after)
    assert isinstance(end, TryFailed)
    assert end.cause is Cause.RECALLED
    gate.is_open.set()
    assert isinstance(driver.end_of(slow), Returned)


@pytest.mark.parametrize("how", ["drain", "lose", "drop"])
def test_what_is_being_pickled_is_answered_for_when_its_node_or_its_waiter_goes(
    lanes: Lanes, how: str
) -> None:
    gate, driver = Gate(), lanes.driver
    slow, after = driver.call(len, gate), driver.call(len, [1])
    driver.send(slow, after)
    assert gate.is_reached.wait(PATIENCE)
    match how:
        case "drain":
            lanes.executor.lanes.drain("block1")
        case "lose":
            lanes.executor.lanes.end("block1", Cause.EXPIRED, "cancelled")
        case "drop":
            driver.executor.drop([(slow.task, slow.try_id)])
    causes = [getattr(driver.end_of(call), "cause", None) for call in (slow, after)[how == "drop" :]]
    assert causes == {"drain": [Cause.RECALLED] * 2, "lose": [Cause.EXPIRED] * 2, "drop": [None]}[how]
    gate.is_open.set()
    driver.close(Exit.FINISH)
    ended = [end.task for end in driver.ends()]
    assert ended.count(slow.task) == (how != "drop")


def test_a_worker_that_dies_there_is_told_with_its_cause_and_its_place(lanes: Lanes) -> None:
    end = lanes.driver.run(os._exit, 3)
    assert isinstance(end, TryFailed)
    assert isinstance(end.error, WorkerLost)
    assert end.error.reason == "exit code 3"
    (up,) = lanes.happened(NodeUp)
    assert str(up.node) in str(end.error)
    lanes.driver.wait_until(lambda: len(lanes.driver.slots) == 2)
    assert isinstance(lanes.driver.run(lambda: 1), Returned)


def test_F2_a_pilot_that_is_killed_is_noticed_its_calls_told_and_its_workers_ended(
    lanes: Lanes, life: Life
) -> None:
    call, behind = lanes.driver.call(holder(), life.path), lanes.driver.call(lambda: 1)
    lanes.driver.send(call, behind)
    life.wait_for_start()
    lanes.pilot.kill()
    assert life.is_over()
    ends = [lanes.driver.end_of(one) for one in (call, behind)]
    for end in ends:
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.LOST
        assert not end.alone
        assert isinstance(end.error, WorkerLost)
        assert "connection broke" in end.error.reason
    (down,) = lanes.wait_for(NodeDown)
    assert "connection broke" in down.reason


def test_F6_what_a_silent_pilot_says_too_late_is_not_heard_and_it_is_taken_back(
    lanes: Lanes, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"

    def leave(path: str) -> str:
        time.sleep(0.3)
        Path(path).touch()
        return "stale"

    call = lanes.driver.call(leave, str(mark))
    lanes.driver.send(call)
    time.sleep(0.1)  # it is on its way to a worker, which is not stopped
    lanes.pilot.kill(signal.SIGSTOP)
    end = lanes.driver.end_of(call)
    assert isinstance(end, TryFailed)
    assert "said nothing" in str(end.error)
    assert mark.exists()
    lanes.pilot.kill(signal.SIGCONT)
    first, second = lanes.wait_for(NodeUp, 2)
    assert first.node != second.node
    lanes.restart_driver_slots()
    assert isinstance(lanes.driver.run(lambda: 1), Returned)
    assert [one.task for one in lanes.driver.ends()].count(call.task) == 1


def test_F6_a_short_silence_costs_nothing(lanes: Lanes) -> None:
    call = lanes.driver.call(time.sleep, 0.2)
    lanes.driver.send(call)
    lanes.pilot.kill(signal.SIGSTOP)
    time.sleep(0.6)
    lanes.pilot.kill(signal.SIGCONT)
    assert isinstance(lanes.driver.end_of(call), Returned)
    assert not lanes.happened(NodeDown)


def test_F6_a_kernel_that_was_held_up_blames_nobody(lanes: Lanes) -> None:
    lanes.executor.lanes._inbox.put(lambda: time.sleep(2.0))  # longer than a node may be silent
    assert isinstance(lanes.driver.run(lambda: 1), Returned)
    time.sleep(0.5)
    lanes.driver.take_all()
    assert not lanes.happened(NodeDown)


def test_a_pilot_without_a_kernel_ends_by_itself(life: Life) -> None:
    lanes = Lanes(orphan=1.0)
    pilot = lanes.pilot
    try:
        lanes.driver.send(lanes.driver.call(holder(), life.path))
        life.wait_for_start()
        lanes.executor.lanes._roll._reply = lambda *_: True  # the kernel falls silent
        pilot.process.wait(20)
        assert life.is_over()
    finally:
        lanes.driver.close()


@pytest.mark.parametrize("kind", ["no keys", "wrong server key", "unknown client key"])
def test_A5_nothing_of_a_stranger_is_read(lanes: Lanes, tmp_path: Path, kind: str) -> None:
    wrong = zmq.curve_keypair()[0].decode() if kind == "wrong server key" else None
    stranger = Stranger(lanes.executor, server_key=wrong, is_bare=kind == "no keys")
    try:
        epoch = next(iter(lanes.executor.lanes.nodes())).epoch
        for number in range(3):
            stranger.send(pack(Message(Kind.FRAMES, epoch, number + 1, worker=1, frames=[canary(tmp_path)])))
            stranger.send(pack(Message(Kind.REGISTER, number, frames=[text_of(facts())])))
        time.sleep(0.3)
        assert isinstance(lanes.driver.run(lambda: 1), Returned)
        assert not (tmp_path / "canary").exists()
        assert len(lanes.executor.lanes.nodes()) == 1
    finally:
        stranger.close()


def test_A5_a_key_that_was_taken_back_is_not_heard_on_its_open_connection(
    lanes: Lanes, tmp_path: Path
) -> None:
    lanes.executor.lanes.end("block1", Cause.EXPIRED, "cancelled")
    lanes.wait_for(NodeDown)
    time.sleep(0.5)
    assert len(lanes.happened(NodeUp)) == 1
    assert lanes.executor.lanes.nodes() == []


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"x" * 33],
        pack(Message(Kind.FRAMES, 1, 1))[:1] * 2,
        pack(Message(Kind.REGISTER, 7, frames=[b"[" * 50_000])),
        pack(Message(Kind.REGISTER, 7, frames=[b'{"python": "3.11"}'])),
    ],
)
def test_B2_a_pilot_that_sends_nonsense_is_shut_out_and_others_work_on(
    lanes: Lanes, frames: list[bytes]
) -> None:
    stranger = let_in(lanes.executor, "other")
    try:
        stranger.send(frames or [b"", b""])
        assert isinstance(lanes.driver.run(lambda: 1), Returned)
        assert len(lanes.executor.lanes.nodes()) == 1
    finally:
        stranger.close()


def test_a_pilot_that_runs_something_else_is_refused_and_both_sides_are_told(lanes: Lanes) -> None:
    stranger = let_in(lanes.executor, "other")
    try:
        theirs = {**facts(), "python": "3.1", "host": "far"}
        stranger.send(pack(Message(Kind.REGISTER, 7, frames=[text_of(theirs)])))
        assert stranger.socket.poll(10_000)
        refused = stranger.socket.recv_multipart()
        assert b"Python is 3.1 there" in refused[1]
        ((block, _, why),) = [one for one in lanes.executor.told if one[1] == "refused"]
        assert block == "other"
        assert "the pilot on far runs" in why
    finally:
        stranger.close()
