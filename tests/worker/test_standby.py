"""Programs that outlive the channel they were started through: one of each, whoever is killed when."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nbflow.worker.standby import LEAVE

ECHO = """
import os, sys
for line in sys.stdin:
    if "leave" in line:
        break
    print(os.getpid(), flush=True)
"""


class Standby:
    """A program in a file of its own, and the channels to it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "echo.py").write_text(ECHO)
        monkeypatch.chdir(folder)
        self.directory = folder / "doors"

    def open(self, seconds: float = 60) -> subprocess.Popen[bytes]:
        words = ["nbflow.worker.standby", str(self.directory), "echo", f"{seconds:g}", "echo"]
        return subprocess.Popen([sys.executable, "-m", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def processes(self, words: str) -> list[psutil.Process]:
        found = psutil.process_iter(["cmdline", "cwd"])
        here = str(self.directory.parent)
        return [one for one in found if one.info["cwd"] == here and words in " ".join(one.info["cmdline"])]


@pytest.fixture
def standby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standby]:
    standby = Standby(tmp_path, monkeypatch)
    yield standby
    with standby.open() as last:
        assert last.stdin is not None
        last.stdin.write(LEAVE)
        last.stdin.flush()
        assert last.wait(20) == 0
    deadline = time.monotonic() + 20
    while standby.processes("echo"):
        assert time.monotonic() < deadline


def greeted(channel: subprocess.Popen[bytes]) -> bytes:
    """Return the pid of the program that answers the greeting of a channel."""
    assert channel.stdout is not None
    return channel.stdout.readline()


def test_the_next_channel_finds_what_one_that_was_killed_had_started(standby: Standby) -> None:
    with standby.open() as first:
        pid = greeted(first)
        first.kill()
    with standby.open() as second:
        assert greeted(second) == pid
        second.kill()


def test_a_channel_that_is_killed_while_it_starts_a_program_leaves_one_and_not_two(
    standby: Standby,
) -> None:
    for _ in range(5):
        with standby.open() as first:
            while not standby.processes("--keep"):
                time.sleep(0.001)
            first.kill()
        with standby.open() as second:
            assert int(greeted(second)) in {one.pid for one in standby.processes("-m echo")}
            assert len(standby.processes("-m echo")) == 1
            assert second.stdin is not None
            second.stdin.write(LEAVE)
            second.stdin.flush()
            second.wait(20)


def test_the_channel_of_a_program_that_dies_at_once_ends_too(standby: Standby) -> None:
    for _ in range(5):
        with standby.open() as channel:
            while not (programs := standby.processes("-m echo")):
                time.sleep(0.001)
            for program in programs:
                program.kill()
            channel.wait(10)


def test_what_has_no_channel_for_long_ends_with_its_directory(
    standby: Standby,
) -> None:
    with standby.open(seconds=0.5) as first:
        pid = greeted(first)
        first.kill()
    deadline = time.monotonic() + 20
    while standby.directory.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with standby.open() as second:
        assert greeted(second) != pid
        second.kill()
