"""Whatever runs or serves the pilots of one run is killed, at fifty random points of it."""

import errno
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import nbflow as nf
from nbflow.core import retry
from nbflow.sites.model import Site
from tests.e2e import victims
from tests.e2e.nemesis import Nemesis, eventually, nemesis
from tests.e2e.pilots import processes
from tests.e2e.test_pilots import here, marks

__all__ = ["here", "marks", "nemesis"]

pytest.importorskip("ipyparallel")

TASKS = 300
BLAMELESS = {"lost", "expired", "recalled"}


def engines(folder: Path) -> list[psutil.Process]:
    return processes(folder, "ipyparallel.engine")


def workers(folder: Path) -> list[psutil.Process]:
    """Return the workers, and the keepers above them."""
    below = []
    for engine in engines(folder):
        with suppress(psutil.NoSuchProcess):
            below += engine.children(recursive=True)
    return below


def controllers(folder: Path) -> list[psutil.Process]:
    return processes(folder, "ipyparallel.controller")


def agents(folder: Path) -> list[psutil.Process]:
    return processes(folder, "-m nbflow.executors.pilots.agent")


KILLS: list[Callable[[Path], list[psutil.Process]]] = [
    *[workers] * 41,
    *[engines] * 3,
    *[controllers] * 3,
    *[agents] * 3,
]


def test_F2_F3_fifty_random_kills_lose_nothing_and_repeat_only_what_was_in_hand(
    here: Site, marks: Nemesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chance may kill three workers under one task, which would then be taken for their murderer.
    monkeypatch.setattr(retry, "POISON_LOSSES", len(KILLS))
    nf.load(nf.Pilots(here, workers_per_node=2, init_blocks=2, max_blocks=2), retries=len(KILLS))
    slow = nf.python_app(victims.slow)
    futures = {f"call{n}": marks.submit(slow, f"call{n}", n, expect=2 * n) for n in range(TASKS)}
    ended: dict[str, int] = {}

    def progress() -> int:
        """Note how often those began that have ended by now; return how many they are."""
        done = [name for name, future in futures.items() if name not in ended and future.done()]
        runs = marks.runs()
        ended.update((name, runs[name]) for name in done)
        return len(ended)

    dice = marks.random
    kills = dice.sample(KILLS, len(KILLS))
    points = sorted(dice.sample(range(TASKS - 4), len(kills)))
    for point, kind in zip(points, kills, strict=True):
        eventually(lambda: progress() >= point)  # noqa: B023
        time.sleep(dice.random() * 0.05)
        eventually(lambda: bool(kind(tmp_path)))  # noqa: B023
        with suppress(psutil.NoSuchProcess, IndexError):  # it has ended by itself meanwhile
            dice.choice(kind(tmp_path)).kill()
    marks.check()

    runs = marks.runs()
    assert {name: runs[name] for name in ended} == ended, "what had ended ran again"
    again = 0
    for name, future in futures.items():
        *lost, _ = future.task.attempts
        assert {attempt.detail.cause for attempt in lost} <= BLAMELESS
        assert runs[name] <= 1 + len(lost), f"{name} ran more often than it was sent"
        again += len(lost)
    print(f"{len(kills)} kills; {again} tries were lost, {sum(runs.values()) - TASKS} had begun")


@pytest.mark.parametrize("kind", [workers, engines, controllers, agents])
def test_F6_what_is_stopped_for_a_while_goes_on_and_nothing_runs_twice(
    here: Site, marks: Nemesis, tmp_path: Path, kind: Callable[[Path], list[psutil.Process]]
) -> None:
    nf.load(nf.Pilots(here, workers_per_node=2))
    patient = nf.python_app(victims.patient)
    for n in range(200):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    eventually(lambda: sum(marks.runs().values()) > 20)
    stopped = kind(tmp_path)
    assert stopped
    for process in stopped:
        process.suspend()
    time.sleep(3)
    for process in stopped:
        process.resume()
    marks.check()
    assert set(marks.runs().values()) == {1}
    assert len(nf.nodes()) == 1


def test_F12_a_full_disk_on_the_node_fails_what_writes_there_and_nothing_else(
    here: Site, marks: Nemesis, tmp_path: Path
) -> None:
    """No file of its processes may grow any more, which stands in for a full disk: writes fail with EFBIG."""
    nf.load(nf.Pilots(here, workers_per_node=2))

    @nf.python_app
    def write(path: str) -> None:
        Path(path).write_text("much")

    @nf.python_app
    def talk(n: int) -> int:
        print("x" * 100_000)
        return n

    assert talk(0).result(60) == 0
    for process in (*engines(tmp_path), *workers(tmp_path)):
        process.rlimit(psutil.RLIMIT_FSIZE, (0, 0))
    written = write(str(tmp_path / "file"))
    assert nf.gather(talk.map(range(20)), timeout=60) == list(range(20))
    error = written.exception(60)
    assert isinstance(error, OSError)
    assert error.errno == errno.EFBIG
    (node,) = nf.nodes()
    assert (node.stage, node.slots) == ("active", 2)
