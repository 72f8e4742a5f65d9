"""The process beside ipyparallel's controller, with engines that come and die."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbflow.executors.pilots.agent import ENGINE_FILE
from nbflow.worker.facts import BLOCK
from nbflow.worker.standby import HELLO, LEAVE
from tests.e2e.nemesis import eventually
from tests.e2e.pilots import processes
from tests.e2e.services import ROOT

pytest.importorskip("ipyparallel")

SECONDS = 30.0
KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
"""Stands where an engine finds its lane, and kills it when it is asked for that."""


class Agent:
    """An agent, and this end of the talk with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        words = ["-m", "nbflow.executors.pilots.agent", str(folder / "agent"), "127.0.0.1"]
        self.process = subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return what it says next."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], SECONDS)[0], "it says nothing"
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    @contextmanager
    def engine(self, block: str, path: Path = ROOT) -> Iterator[subprocess.Popen[bytes]]:
        """Run an engine that finds nbflow in a folder."""
        with subprocess.Popen(
            [sys.executable, "-m", "ipyparallel.engine", f"--file={self._folder / 'agent' / ENGINE_FILE}"],
            env={**os.environ, BLOCK: block, "PYTHONPATH": str(path), "IPYTHONDIR": str(self._folder)},
            cwd=self._folder,
            stderr=subprocess.DEVNULL,
        ) as engine:
            try:
                yield engine
            finally:
                engine.kill()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    with agent.process:
        yield agent
        agent.send(LEAVE)
        assert agent.process.wait(20) == 0, "it had died"
    eventually(lambda: not processes(tmp_path))


def test_F3_an_engine_that_dies_while_it_is_let_in_takes_nothing_with_it(
    agent: Agent, tmp_path: Path
) -> None:
    (package := tmp_path / "broken" / "nbflow" / "worker").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (package / "lane.py").write_text(KILLED)
    agent.send(HELLO)
    assert agent.hear() == {"is": "ready"}
    with agent.engine("first", tmp_path / "broken") as engine:
        assert engine.wait(SECONDS) == -signal.SIGKILL
    with agent.engine("second"):
        said = agent.hear()
        assert (said["is"], said["block"]) == ("engine", "second")
        # When the controller has noticed that the first one is dead, it is still there.
        with agent.engine("third"):
            assert agent.hear()["block"] == "third"
    agent.send(HELLO)
    assert agent.hear() == {"is": "ready"}


def keeper(folder: Path) -> psutil.Process:
    return next(one for one in processes(folder, "ipyparallel.controller") if "-c" in one.cmdline())


def controller(folder: Path) -> psutil.Process:
    return keeper(folder).children()[0]


def scheduler(folder: Path) -> psutil.Process:
    return controller(folder).children()[0]


@pytest.mark.parametrize("part", [keeper, controller, scheduler])
def test_F8_a_controller_that_loses_a_part_is_started_again_and_nothing_of_the_old_one_is_left(
    agent: Agent, tmp_path: Path, part: Callable[[Path], psutil.Process]
) -> None:
    agent.send(HELLO)
    assert agent.hear() == {"is": "ready"}
    with agent.engine("first"):
        assert agent.hear()["block"] == "first"
    with agent.engine("second"):
        assert agent.hear()["block"] == "second"
        before = processes(tmp_path, "ipyparallel.controller")
        part(tmp_path).kill()
        assert [agent.hear(), agent.hear()] == [{"is": "restarted"}, {"is": "ready"}]
        assert agent.hear()["block"] == "second", "nobody had fetched it"
        assert not [process for process in processes(tmp_path, "ipyparallel.controller") if process in before]
        # They are numbered from 0 again.
        with agent.engine("third"):
            assert agent.hear()["block"] == "third"
