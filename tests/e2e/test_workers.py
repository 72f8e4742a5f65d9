"""What only real time and real amounts show about worker processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nbflow.core.events import Returned
from nbflow.executors.processes import ProcessesExecutor
from nbflow.executors.protocol import Printed
from tests.contracts.executors import Driver


@pytest.fixture
def driver() -> Iterator[Driver]:
    before = set(psutil.Process().children(recursive=True))
    driver = Driver(ProcessesExecutor(workers=2))
    yield driver
    driver.close()
    assert set(psutil.Process().children(recursive=True)) <= before


def test_L3_a_hundred_megabytes_of_prints_take_bounded_memory(driver: Driver) -> None:
    def speak() -> int:
        for _ in range(100):
            print("x" * 1_000_000)
        return psutil.Process().memory_info().rss

    end = driver.run(speak)
    assert isinstance(end, Returned)
    assert end.value < 200_000_000
    (printed,) = (one for one in driver.seen if isinstance(one, Printed))
    assert printed.nbytes == 100_000_100
    assert len(printed.text) < 70_000


def test_F18_a_thousand_calls_and_many_lost_workers_leak_no_file(driver: Driver) -> None:
    driver.run(lambda: 1)
    before = psutil.Process().num_fds()
    for _ in range(20):
        driver.run(os._exit, 1)
        driver.wait_until(lambda: len(driver.slots) == 2)
    assert psutil.Process().num_fds() <= before + 2


SCRIPT = """
import os, sys, time
from nbflow.executors.processes import ProcessesExecutor
from tests.contracts.executors import Driver

driver = Driver(ProcessesExecutor(workers=2))
path = sys.argv[1]

def hang():
    import subprocess
    child = subprocess.Popen(["setsid", "sleep", "60"])
    open(path, "w").write(f"{os.getpid()} {child.pid}")
    time.sleep(60)

driver.send(driver.call(hang))
while not (os.path.exists(path) and len(open(path).read().split()) == 2):
    time.sleep(0.01)
%s
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "sys.exit()", "os._exit(0)"])
def test_F19_workers_end_with_their_owner_however_it_ends(tmp_path: Path, end: str) -> None:
    path = tmp_path / "pids"
    subprocess.run([sys.executable, "-c", SCRIPT % end, str(path)], timeout=30, check=False)
    pids = [int(pid) for pid in path.read_text().split()]
    deadline = time.monotonic() + 10
    while any(_is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_is_put_into_a_list_after_the_call_is_not_part_of_it() -> None:
    import nbflow as nf

    nf.load(workers=1)
    try:
        app = nf.python_app(list)
        growing: list[int] = []
        futures = []
        for number in range(4):
            growing.append(number)
            futures.append(app(growing))
        assert nf.gather(futures) == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    finally:
        nf.clear()
