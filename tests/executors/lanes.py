"""Pilots without a batch system and without ipyparallel: a real lane in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import zmq

from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId
from nbflow.core.task import Resources
from nbflow.executors.pilots.lanes import Lanes, Patience
from nbflow.executors.pilots.node import Pass
from nbflow.executors.protocol import Exit, Post

PILOT = """
import json, sys, threading
from nbflow.worker import lane
print(json.dumps(lane.prepare()), flush=True)
lane.connect(**json.loads(sys.stdin.readline()))
threading.Event().wait()
"""


class Pilot:
    """One lane in a process of its own, which knows its key and waits to be told where to go."""

    def __init__(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PILOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        )
        assert self.process.stdout is not None
        self.key: str = json.loads(self.process.stdout.readline())["key"]

    def connect(self, **where: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(where) + "\n")
        self.process.stdin.flush()

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdin.close()
            self.process.stdout.close()


class LanesExecutor:
    """An executor of pilots that are started by the test; `through` gives the port that they find it by."""

    is_remote = True

    def __init__(self, workers: int = 1, pilots: int = 1, run: str = "", **patience: float) -> None:
        self.label = ExecutorId("lanes")
        self.told: list[tuple[str, str, str]] = []
        self.pilots: list[Pilot] = []
        self._workers = workers
        self._count = pilots
        self._patience = Patience(**patience)
        self._run = run
        self._secret = zmq.curve_keypair()[1]
        self._port = 0
        self.through: Callable[[int], int] = lambda port: port
        self._passes: list[Pass] = []

    def start(self, post: Post) -> Capacity:
        self.lanes = Lanes(
            self.label, post, lambda *news: self.told.append(news), self._patience, run=self._run
        )
        for entry in self._passes:
            self.lanes.allow_back(entry)
        self._port, self.server_key = self.lanes.start("127.0.0.1", self._port, self._secret)
        for _ in range(self._count):
            self.add_pilot()
        total = Resources(self._workers * self._count, 1 << 40)
        return Capacity((), total, keeps_results=True)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.through(self._port)}"

    def add_pilot(self) -> Pilot:
        pilot = Pilot()
        self.pilots.append(pilot)
        self._passes.append(Pass(pilot.key, f"block{len(self.pilots)}", self._workers))
        self.lanes.allow(self._passes[-1])
        time.sleep(0.05)
        pilot.connect(address=self.address, server_key=self.server_key, workers=self._workers)
        return pilot

    def take_over(self, before: "LanesExecutor") -> None:
        """Be what comes after an executor that was left, or whose process died."""
        self._count = 0
        self._port, self._secret, self._passes = before._port, before._secret, before._passes
        self._workers, self.pilots = before._workers, before.pilots

    def send(self, slot: Any, calls: Any) -> None:
        self.lanes.send(slot, calls)

    def drop(self, tries: Any) -> None:
        self.lanes.drop(tries)

    def recall(self, tries: Any) -> None:
        self.lanes.recall(tries)

    def close(self, how: Exit) -> None:
        self.lanes.close(how)
        while self.pilots:
            self.pilots.pop().close()
