"""Pilots behind a network that is slow, or loses its way for a while without a word."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.executors.protocol import NodeDown, NodeUp
from tests.contracts.executors import Driver
from tests.executors.lanes import LanesExecutor
from tests.executors.link import Link, link


@contextmanager
def far(
    *, delay: float = 0.0, rate: float = float("inf"), **patience: float
) -> Iterator[tuple[Driver, Link]]:
    """Give a driver of one pilot with two workers, and the link that lies between."""
    executor = LanesExecutor(workers=2, **patience)
    links: list[Link] = []
    with ExitStack() as stack:

        def through(port: int) -> int:
            if not links:
                links.append(stack.enter_context(link(port, delay=delay, rate=rate)))
            return links[0].port

        executor.through = through
        driver = Driver(executor)
        assert driver.slots
        stack.callback(driver.close)
        yield driver, links[0]
        links[0].is_cut.update(up=False, down=False)


def mark(path: str, n: int) -> int:
    os.close(os.open(f"{path}{n}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # raises where it runs again
    time.sleep(0.02)
    return n


def downs(driver: Driver) -> list[NodeDown]:
    driver.take_all()
    return [one for one in driver.seen if isinstance(one, NodeDown)]


def ups(driver: Driver) -> list[NodeUp]:
    return [one for one in driver.seen if isinstance(one, NodeUp)]


@pytest.mark.parametrize("ways", [("up",), ("down",), ("up", "down")], ids="-".join)
def test_F7_a_network_that_is_cut_for_a_moment_costs_no_try(tmp_path: Path, ways: tuple[str, ...]) -> None:
    with far(silent=5.0, gone=2.0, beat=0.2) as (driver, way):
        calls = [driver.call(mark, str(tmp_path / "n"), n) for n in range(60)]
        driver.send(*calls)
        driver.wait_until(lambda: len(driver.ends()) > 5)
        way.is_cut.update(dict.fromkeys(ways, True))
        time.sleep(1.0)
        way.is_cut.update(up=False, down=False)
        ends = [driver.end_of(call) for call in calls]
        assert [end.value for end in ends if isinstance(end, Returned)] == list(range(60))
        assert not downs(driver)


@pytest.mark.parametrize("ways", [("up",), ("up", "down")], ids="-".join)
def test_F7_a_pilot_that_was_cut_off_for_long_is_not_heard_late_and_is_used_again(
    tmp_path: Path, ways: tuple[str, ...]
) -> None:
    with far(silent=1.0, gone=0.5, beat=0.2) as (driver, way):
        call = driver.call(mark, str(tmp_path / "n"), 1)
        way.is_cut.update(dict.fromkeys(ways, True))
        driver.send(call)
        end = driver.end_of(call)
        assert isinstance(end, TryFailed)
        assert end.cause is Cause.LOST
        way.is_cut.update(up=False, down=False)
        driver.wait_until(lambda: len(ups(driver)) == 2)
        after = driver.call(int, 3)
        driver.send(after, slot=ups(driver)[-1].slots[0])
        assert isinstance(driver.end_of(after), Returned)
        assert [one.task for one in driver.ends()].count(call.task) == 1


def test_F8_a_slow_link_loses_nobody_and_bulk_data_keep_no_sign_of_life_back() -> None:
    with far(delay=0.1, rate=64_000, silent=2.5, gone=2.0, beat=0.2) as (driver, _):
        down, up = driver.call(len, os.urandom(300_000)), driver.call(os.urandom, 300_000)
        driver.send(down)
        driver.send(up, slot=driver.slots[1])
        ends = [driver.end_of(one) for one in (down, up)]
        assert not downs(driver)
        assert isinstance(ends[0], Returned), ends[0]
        assert ends[0].value == 300_000
        assert isinstance(ends[1], Returned), ends[1]
        assert len(ends[1].value) == 300_000
