"""What calls used, as their worker measures it."""

import subprocess
import sys
import time

import pytest

from nbflow.worker.usage import SHORTEST_SECONDS, Meter

MEGABYTES = 60


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_short_call_is_not_measured() -> None:
    meter = Meter()
    assert meter.end(meter.begin(), SHORTEST_SECONDS / 2) is None


def test_processor_time_is_that_of_the_call_and_of_what_it_started() -> None:
    meter = Meter()
    began = meter.begin()
    spin(0.1)
    own, _ = meter.end(began, 1.0) or (0.0, None)
    assert 0.1 <= own < 0.2
    began = meter.begin()
    time.sleep(0.03)
    asleep, _ = meter.end(began, 1.0) or (1.0, None)
    assert asleep < 0.05
    code = "import time\nwhile time.process_time() < 0.2: pass"
    began = meter.begin()
    subprocess.run([sys.executable, "-c", code], check=True)
    children, _ = meter.end(began, 1.0) or (0.0, None)
    assert children >= 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is made anew on Linux only")
def test_memory_is_the_most_that_was_held_during_the_call() -> None:
    meter = Meter()

    def peak() -> int:
        used = meter.end(meter.begin(), 1.0)
        return (used and used[1]) or 0

    before = peak()
    held = bytearray(MEGABYTES << 20)
    del held
    large, after = peak(), peak()
    assert before > 0
    assert large - max(before, after) > (MEGABYTES - 10) << 20


COMMANDS = """
import subprocess, sys
from nbflow.worker.usage import Meter
meter = Meter()
for megabytes in (400, 100):
    subprocess.run([sys.executable, "-c", f"held = bytearray({megabytes} << 20)"], check=True)
    print(meter.end(0.0, 1.0)[1])
"""


def test_the_memory_of_a_command_is_told_when_it_is_the_largest_so_far() -> None:
    # In a process of its own: no other may have been larger before.
    done = subprocess.run([sys.executable, "-c", COMMANDS], capture_output=True, text=True, check=True)
    large, hidden = done.stdout.split()
    assert int(large) > 400 << 20
    assert hidden == "None"
