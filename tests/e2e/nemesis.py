"""Something that hurts a run on purpose, and a witness that checks what nbflow promised about it.

P1: every submitted call ends in exactly one visible way. P2: it runs at least once, and its result is seen
once. P4: no wait is without a bound. P5: no process is left. What happens is decided by a seed, which is
printed and can be given as NEMESIS_SEED.
"""

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import psutil
import pytest

import nbflow as nf

PATIENCE_SECONDS = 60


class Nemesis:
    """Keep the history of one run: calls submitted, ends seen, marks that tries left on disk."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.marks = folder / "marks"
        self.calls: dict[str, tuple[Future[Any], Any]] = {}
        self.ends: Counter[str] = Counter()
        self._before = set(psutil.Process().children(recursive=True))
        self._is_over = threading.Event()
        self._tormentors: list[threading.Thread] = []

    def submit(self, app: Callable[..., Future[Any]], name: str, *args: Any, expect: Any) -> Future[Any]:
        """Call `app(mark, *args)`; the call should return `expect`, or raise it if it is a type."""
        future = app(f"{self.marks}:{name}", *args)
        self.calls[name] = future, expect
        future.add_done_callback(lambda _: self.ends.update([name]))
        return future

    def workers(self) -> list[psutil.Process]:
        """Return the processes that run calls: those that have no process below them."""
        ours = [one for one in psutil.Process().children(recursive=True) if one not in self._before]
        parents = {_parent(one) for one in ours}
        return [one for one in ours if one.pid not in parents]

    def kill_worker(self) -> None:
        """Kill one worker process, whatever it does."""
        workers = self.workers()
        if workers:
            _kill(self.random.choice(workers))

    def torment(self, every: float) -> None:
        """Kill workers in the background, on average every so many seconds, until `check`."""

        def go_on() -> None:
            while not self._is_over.wait(self.random.expovariate(1 / every)):
                self.kill_worker()

        self._tormentors.append(threading.Thread(target=go_on, name="nemesis"))
        self._tormentors[-1].start()

    def relent(self) -> None:
        """Stop hurting."""
        self._is_over.set()
        for thread in self._tormentors:
            thread.join()

    def check(self) -> None:
        """Assert the promises about all calls."""
        futures = [future for future, _ in self.calls.values()]
        late = wait(futures, PATIENCE_SECONDS).not_done
        self.relent()
        assert not late, f"P4: {len(late)} calls never end: {list(late)[:3]}"
        runs = self.runs()
        eventually(lambda: sum(self.ends.values()) >= len(self.calls))
        for name, (future, expect) in self.calls.items():
            assert self.ends[name] == 1, f"P1: {name} ended {self.ends[name]} times"
            if isinstance(expect, type):
                assert isinstance(future.exception(), expect), f"{name}: {future.exception()!r}"
            else:
                assert future.result() == expect, f"P2: {name} has a wrong result"
                assert runs[name] >= 1, f"P2: {name} has a result and never ran"

    def runs(self) -> Counter[str]:
        """Return how often each call began to run."""
        return Counter(self.marks.read_text().split()) if self.marks.exists() else Counter()

    def assert_nothing_left(self) -> None:
        """Assert P5."""
        eventually(lambda: set(psutil.Process().children(recursive=True)) <= self._before)


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something holds, and fail if it does not come to that."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)


@pytest.fixture
def nemesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nemesis]:
    # Workers import what the calls run from beside this file.
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))
    seed = int(os.environ.get("NEMESIS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"nemesis: seed {seed}", file=sys.stderr)
    nemesis = Nemesis(tmp_path, seed)
    yield nemesis
    nemesis.relent()
    nf.clear()
    nemesis.assert_nothing_left()


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def _kill(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return
