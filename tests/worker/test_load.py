import threading
from typing import Any

from nbflow.core.ids import TaskId, TryId
from nbflow.wire.bundles import Bundle, decode_order
from nbflow.wire.functions import Portable
from nbflow.wire.messages import PYTHON, Call
from nbflow.wire.values import Definitions
from nbflow.worker.load import Load, Packers
from tests.contracts.executors import PATIENCE, Gate


def call(number: int, argument: Any) -> Call:
    return Call(TaskId(number), TryId(1), FUNCTION, lambda: ((argument,), {}), PYTHON)


FUNCTION = Portable(abs).snapshot(encode=True)


def new_packers() -> Packers:
    return Packers(lambda then: then())


def tasks(load: Load) -> list[int]:
    order = decode_order(load.frames(), Definitions())
    assert isinstance(order, Bundle)
    return [parcel.task for parcel in order.parcels]


def test_all_but_what_is_being_packed_can_be_taken_back() -> None:
    gate, packers = Gate(), new_packers()
    is_packed = threading.Event()
    load = Load([call(1, [1]), call(2, gate), call(3, [3]), call(4, [4])], set())
    packers.run(load.pack, is_packed.set)
    assert gate.is_reached.wait(PATIENCE)
    wanted = {(TaskId(number), TryId(1)) for number in (1, 2, 3)}
    assert sorted(one.task for one in load.take_back(wanted)) == [1, 3]
    gate.is_open.set()
    assert is_packed.wait(PATIENCE)
    assert tasks(load) == [2, 4]
    packers.close()


def test_what_is_taken_back_and_what_is_left_keep_their_order() -> None:
    load = Load([call(number, [number]) for number in range(8)], set())
    taken = load.take_back({(TaskId(number), TryId(1)) for number in (6, 1, 4)})
    assert [one.task for one in taken] == [1, 4, 6]
    assert [one.task for one in load.give_up()] == [0, 2, 3, 5, 7]
    load.pack()
    assert tasks(load) == []


def test_what_cannot_travel_is_refused_and_the_rest_goes_on() -> None:
    load = Load([call(1, threading.Lock()), call(2, [2])], set())
    load.pack()
    ((refused, error),) = load.refused
    assert (refused.task, error.__traceback__) == (1, None)
    assert tasks(load) == [2]
    assert [one.task for one in load.calls.values()] == [2]


def test_a_packing_that_is_given_up_has_told_nothing() -> None:
    known: set[int] = set()
    given_up = Load([call(1, [1])], known)
    given_up.pack()
    assert known == set()
    again = Load([call(1, [1])], known)
    again.pack()
    assert tasks(again) == [1]
    assert known == {FUNCTION.token}


def test_one_that_takes_long_holds_up_no_other() -> None:
    gate, packers, done = Gate(), new_packers(), threading.Event()
    packers.run(gate.__reduce__, lambda: None)
    packers.run(lambda: None, done.set)
    assert done.wait(PATIENCE)
    gate.is_open.set()
    packers.close()
