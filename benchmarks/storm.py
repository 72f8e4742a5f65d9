"""Measure what a kernel does when a thousand pilots come at once, and whether their signs of life are kept.

Run it with `python -m benchmarks.storm`.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import zmq

from nbflow.core.ids import ExecutorId
from nbflow.executors.pilots.lanes import Lanes, Patience
from nbflow.executors.pilots.node import Pass
from nbflow.worker.happenings import Exit, Happening, NodeDown, NodeUp

__all__ = ["Storm", "main", "storm"]

LOOPBACK = "127.0.0.1"


@dataclass
class Storm:
    """What came of a fleet so far: nodes that came and went; in the end, what its pilots heard."""

    lanes: Lanes = field(init=False)
    ups: int = 0
    downs: list[str] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)

    def post(self, news: list[Happening]) -> None:
        """Count what the lanes tell."""
        self.ups += sum(isinstance(one, NodeUp) for one in news)
        self.downs += [one.reason for one in news if isinstance(one, NodeDown)]


@contextmanager
def storm(pilots: int, workers: int) -> Iterator[Storm]:
    """Have a kernel's lanes, and a fleet of pilots that connects to them now."""
    fleet = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fleet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert fleet.stdin is not None
    assert fleet.stdout is not None
    going = Storm()
    lanes = going.lanes = Lanes(ExecutorId("storm"), going.post, lambda *_: None, Patience())
    try:
        port, server_key = lanes.start(LOOPBACK)
        keys = [tuple(key.decode() for key in zmq.curve_keypair()) for _ in range(pilots)]
        for number, (public, _) in enumerate(keys):
            lanes.allow(Pass(public, f"block{number}", workers))
        address = f"tcp://{LOOPBACK}:{port}"
        orders = {"address": address, "server_key": server_key, "workers": workers, "keys": keys}
        fleet.stdin.write(json.dumps(orders) + "\n")
        fleet.stdin.flush()
        yield going
    finally:
        fleet.stdin.close()
        going.heard.update(json.loads(fleet.stdout.readline() or "{}"))
        fleet.stdout.close()
        fleet.wait()
        lanes.close(Exit.STOP)


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--pilots", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long signs of life are watched")
    given = parser.parse_args()
    began = time.monotonic()
    with storm(given.pilots, given.workers) as going:
        while going.ups < given.pilots and not going.downs:
            time.sleep(0.05)
        print(f"{going.ups} pilots registered after {time.monotonic() - began:.1f} s")
        me, before = psutil.Process(), time.process_time()
        time.sleep(given.seconds)
        busy = (time.process_time() - before) / given.seconds
        print(f"then {busy:.0%} of a core, {me.memory_info().rss / 2**20:.0f} MiB, {len(going.downs)} lost")
    print(f"they heard: {dict(going.heard)}")


if __name__ == "__main__":
    main()
