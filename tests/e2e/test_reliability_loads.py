"""Loads: many tasks, wide and deep graphs, large results, talkative tasks: bounded memory, nothing lost."""

import gc
import sys

import psutil

import nbflow as nf

from .nemesis import Nemesis, nemesis

__all__ = ["nemesis"]

MEGABYTE = 1_000_000


@nf.python_app
def same(value: object, *others: object) -> object:
    return value


def memory() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def test_L1_a_hundred_thousand_calls_lose_nothing(nemesis: Nemesis) -> None:
    nf.load("processes", workers=2)
    futures = same.map(range(100_000))
    assert nf.gather(futures, timeout=120) == list(range(100_000))


def test_L1_calls_submitted_lazily_take_no_memory_once_they_are_dropped(nemesis: Nemesis) -> None:
    """A million calls in the plan; 150,000 here show the slope and fit a small machine."""
    nf.load("threads", workers=2)

    def pass_through(calls: int) -> None:
        for start in range(0, calls, 5_000):
            assert sum(nf.gather(same.map(range(start, start + 5_000)), timeout=60)) > 0

    pass_through(50_000)
    before = memory()
    pass_through(100_000)
    assert memory() - before < 30 * MEGABYTE, "300 bytes a task would be a leak"


def test_L3_a_hundred_thousand_parents_and_a_hundred_thousand_children(nemesis: Nemesis) -> None:
    nf.load("threads", workers=2)
    middle = same.map([same(1)] * 100_000)
    total = nf.python_app(sum)(middle)
    assert total.result(120) == 100_000


def test_L3_a_chain_of_ten_thousand_runs_and_fails_without_recursion(nemesis: Nemesis) -> None:
    nf.load("threads", workers=2)
    future = same("end")
    for _ in range(10_000):
        future = same(future)
    assert future.result(120) == "end"
    broken = nf.python_app(lambda: 1 / 0)()
    for _ in range(10_000):
        broken = same(broken)
    error = broken.exception(120)
    assert isinstance(error, nf.errors.DependencyError)
    assert isinstance(error.root, ZeroDivisionError)
    del future, broken, error
    gc.collect()


def test_L3_a_large_result_arrives_whole(nemesis: Nemesis) -> None:
    """Two gigabytes in the plan; 200 MB here, twice, fit a small machine."""
    nf.load("processes", workers=2)
    make = nf.python_app(lambda: b"x" * 200_000_000)
    first = make()
    assert nf.python_app(len)(first).result(120) == 200_000_000
    assert len(first.result()) == 200_000_000


def test_L3_ten_megabytes_of_output_are_cut_and_said_to_be(nemesis: Nemesis) -> None:
    nf.load("processes", workers=2)
    talk = nf.python_app(lambda: [print("y" * 999) for _ in range(10_000)] and None)
    future = talk()
    future.result(60)
    kept = str(future.task.logs())
    assert 0 < len(kept) < MEGABYTE
    assert "y" * 100 in kept
    assert sys.getsizeof(kept) < MEGABYTE
