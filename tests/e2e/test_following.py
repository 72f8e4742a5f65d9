"""Tasks that follow their parents in one bundle: nobody can tell, except by how fast it is."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import DependencyError, NotPicklable, WorkerLost

LENGTH = 100


@pytest.fixture(autouse=True)
def flow() -> Iterator[None]:
    nf.load("processes", workers=2)
    yield
    nf.clear()


def chain(fn: Callable[[Any], Any], start: Any, length: int = LENGTH) -> list[nf.AppFuture[Any]]:
    """Run the app once, so that it is known to be short, and then as a chain."""
    app = nf.python_app(fn)
    app(start).result()
    futures = [app(start)]
    for _ in range(length - 1):
        futures.append(app(futures[-1]))
    return futures


def test_a_chain_gives_what_it_gives_link_by_link() -> None:
    futures = chain(lambda x: x + 1, 0)
    assert nf.gather(futures) == list(range(1, LENGTH + 1))


def test_what_a_follower_changes_is_its_own_copy() -> None:
    def grow(values: list[int]) -> list[int]:
        values.append(len(values))
        return values

    assert [len(values) for values in nf.gather(chain(grow, []))] == list(range(1, LENGTH + 1))


def test_functions_are_handed_over_too() -> None:
    def wrap(x: Any) -> Callable[[int], int]:
        before = x if callable(x) else lambda n: n
        return lambda n: before(n) + 1

    assert chain(wrap, 0, length=20)[-1].result()(0) == 20


def test_results_in_keyword_arguments_and_a_tree() -> None:
    double = nf.python_app(lambda x: 2 * x)
    add = nf.python_app(lambda *, a, b: a + b)
    double(0).result()
    add(a=0, b=0).result()
    pairs = [add(a=double(n), b=double(n + 1)) for n in range(0, 40, 2)]
    while len(pairs) > 1:
        pairs = [add(a=a, b=b) for a, b in zip(pairs[::2], pairs[1::2], strict=False)] + pairs[
            len(pairs) & ~1 :
        ]
    assert pairs[0].result() == 2 * sum(range(40))


def test_what_follows_a_failure_is_not_run_until_that_is_retried() -> None:
    def careful(x: int) -> int:
        if x == LENGTH // 2:
            raise ValueError(x)
        return x + 1

    futures = chain(careful, 0)
    with pytest.raises(DependencyError, match="ValueError"):
        futures[-1].result()
    states = [future.task.state for future in futures]
    assert states == ["done"] * 50 + ["failed"] + ["upstream_failed"] * 49
    assert not any(future.task.attempts for future in futures[51:])
    nf.retry(failed=True, fn=lambda x: x + 1)
    assert futures[-1].result() == LENGTH


def test_F1_a_link_that_kills_its_worker_is_the_only_one_to_fail() -> None:
    def fragile(x: int) -> int:
        if x == LENGTH // 2:
            os._exit(3)
        return x + 1

    futures = chain(fragile, 0)
    wait(futures)
    assert [future.task.state for future in futures[:51]] == ["done"] * 50 + ["failed"]
    assert isinstance(futures[50].exception(), WorkerLost)
    assert {future.task.state for future in futures[51:]} == {"upstream_failed"}


def test_a_retry_handler_is_asked_about_the_link_that_is_to_blame_alone() -> None:
    asked: list[int] = []

    def judge(error: BaseException, task: Any) -> nf.Decision:
        asked.append(task.id)
        return nf.Decision.FAIL

    fragile = nf.python_app(lambda x: os._exit(3) if x == 10 else x + 1)
    fragile = fragile.options(retries=nf.RetryPolicy(handler=judge))
    futures = [fragile(0)]
    futures[0].result()
    for _ in range(20):
        futures.append(fragile(futures[-1]))
    wait(futures)
    assert asked == [futures[10].task.id]


def test_a_result_that_cannot_travel_fails_its_own_task() -> None:
    def lock(x: Any) -> Any:
        import threading

        return threading.Lock()

    first = nf.python_app(lock)(0)
    second = nf.python_app(lambda x: x)(first)
    assert isinstance(second.exception(), DependencyError)
    assert isinstance(first.exception(), NotPicklable)


def test_cancelling_a_link_ends_what_comes_after_it_and_a_retry_goes_on() -> None:
    def slow(x: int) -> int:
        time.sleep(0.01)
        return x + 1

    futures = chain(slow, 0, length=30)
    futures[4].result()
    assert futures[20].cancel()
    assert isinstance(futures[-1].exception(), DependencyError)
    futures[20].task.retry()
    assert futures[-1].result() == 30


def test_a_retry_with_futures_in_a_list_waits_for_them_before_it_is_sent() -> None:
    invert = nf.python_app(lambda x: 1 / (x if isinstance(x, int) else sum(x)))
    same = nf.python_app(lambda x: x)
    slow = nf.python_app(lambda x: time.sleep(0.2) or x)
    nf.wait([invert(1), same(1)])
    future = invert(same(0))
    assert isinstance(future.exception(), ZeroDivisionError)
    future.task.retry(args=([same(slow(1))],))
    assert future.result(30) == 1


def test_each_follower_has_a_try_of_its_own_in_the_journal() -> None:
    futures = chain(lambda x: x + 1, 0)
    futures[-1].result()
    tries = [attempt for future in futures for attempt in future.task.attempts]
    assert len(tries) == LENGTH
    assert all(attempt.slot and attempt.end == "Returned" for attempt in tries)
