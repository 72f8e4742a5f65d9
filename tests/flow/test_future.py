import asyncio
import concurrent.futures
import pickle
import sys
import threading
import traceback
from concurrent.futures import CancelledError
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import DependencyError
from nbflow.flow.futures.future import AppFuture

pytestmark = pytest.mark.usefixtures("kernel")


@nf.python_app
def double(x: int) -> int:
    return 2 * x


@nf.python_app
def wait_for(event: threading.Event) -> str:
    event.wait(10)
    return "waited"


def test_is_a_future_of_the_standard_library() -> None:
    future = double(2)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(10) == 4
    assert future.exception() is None
    assert future.done()
    assert not future.running()
    assert not future.cancelled()


def test_standard_wait_and_as_completed_take_it() -> None:
    futures = double.map(range(20))
    done, left = concurrent.futures.wait(futures, 10)
    assert len(done) == 20
    assert not left
    assert sorted(f.result() for f in concurrent.futures.as_completed(double.map(range(5)), 10)) == [
        0,
        2,
        4,
        6,
        8,
    ]


def test_first_completed_returns_before_the_rest() -> None:
    event = threading.Event()
    slow, quick = wait_for(event), double(1)
    done, left = concurrent.futures.wait([slow, quick], 10, concurrent.futures.FIRST_COMPLETED)
    assert quick in done
    assert slow in left
    event.set()


def test_a_future_does_not_settle_while_somebody_counts_those_that_are_done() -> None:
    future = AppFuture(None, None)  # type: ignore[arg-type]
    with future._condition:  # held by the standard library from its look at the state to its note
        settling = threading.Thread(target=future._settle, args=(1, None))
        settling.start()
        settling.join(0.01)
        assert not future.done()
    settling.join()
    assert future.done()


def test_an_error_that_is_asked_for_again_does_not_grow() -> None:
    future = nf.python_app(lambda: 1 / 0)()
    lengths = []
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as caught:
            future.result(10)
        lengths.append(len(list(traceback.walk_tb(caught.value.__traceback__))))
    assert len(set(lengths)) == 1


def test_result_gives_up_after_the_timeout_and_the_task_goes_on() -> None:
    event = threading.Event()
    future = wait_for(event)
    with pytest.raises(TimeoutError, match="goes on"):
        future.result(0.01)
    event.set()
    assert future.result(10) == "waited"


def test_callbacks_run_once_and_outside_the_loop() -> None:
    seen: list[tuple[Any, str]] = []
    came = threading.Event()
    event = threading.Event()
    future = wait_for(event)

    def note(done: Any) -> None:
        seen.append((done.result(), threading.current_thread().name))
        came.set()

    future.add_done_callback(note)
    event.set()
    assert came.wait(10)
    assert seen == [("waited", "nbflow-callbacks")]
    future.add_done_callback(note)
    assert seen[1][1] == threading.current_thread().name


def test_await_gather_and_cancelled_waiters() -> None:
    async def use() -> None:
        assert await double(4) == 8
        assert await asyncio.gather(double(1), double(2)) == [2, 4]
        event = threading.Event()
        future = wait_for(event)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(future, 0.01)
        assert not future.cancelled(), "only the waiting is cancelled"
        event.set()
        assert await future == "waited"

    # In a thread of its own: a browser that other tests drive keeps a loop running in this one.
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, use()).result(20)


def test_cancel_before_it_runs() -> None:
    event = threading.Event()
    blockers = [wait_for(event) for _ in range(2)]
    waiting = wait_for(event)
    child = double(waiting)  # type: ignore[arg-type]
    assert waiting.cancel()
    assert waiting.cancelled()
    with pytest.raises(CancelledError):
        waiting.result(10)
    with pytest.raises(DependencyError, match="was cancelled"):
        child.result(10)
    event.set()
    assert nf.gather(blockers) == ["waited"] * 2
    assert not blockers[0].cancel()


def test_looking_at_a_future_runs_nothing() -> None:
    future = double(3)
    assert not hasattr(future, "nothing_such")
    with pytest.raises(TypeError, match="iterated"):
        iter(future)
    assert future.result(10) == 6
    assert len(nf.tasks()) == 1


def test_items_and_attributes_are_explicit() -> None:
    @nf.python_app
    def make() -> list[complex]:
        return [1 + 2j]

    item = make()[0]
    assert item.result(10) == 1 + 2j
    assert nf.attr(item, "imag").result(10) == 2.0


def test_repr_tells_task_and_state() -> None:
    future = double(1)
    future.result(10)
    assert repr(future) == f"<AppFuture of double, task {future.tid}: done>"


def test_a_callback_that_exits_does_not_keep_others_from_running() -> None:
    def leave(future: object) -> None:
        raise SystemExit

    go, called = threading.Event(), threading.Event()
    future = wait_for(go)
    future.add_done_callback(leave)
    future.add_done_callback(lambda _: called.set())
    go.set()
    assert called.wait(10)


def test_a_future_says_why_it_cannot_be_pickled() -> None:
    with pytest.raises(pickle.PicklingError, match=r"pass its result\(\)"):
        pickle.dumps(double(1))


def test_a_call_that_ends_at_once_is_seen_to_end_once() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # whatever the loop's thread can do in between, it does
    try:
        for _ in range(50):
            futures = [double(1) for _ in range(60)]
            assert concurrent.futures.wait(futures[:30], 10).not_done == set()
            assert len(list(concurrent.futures.as_completed(futures[30:], 10))) == 30
    finally:
        sys.setswitchinterval(interval)
