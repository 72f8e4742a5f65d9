"""Pilots in the jobs of real batch systems: Slurm, the same through a login over SSH, Grid Engine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.sites.model import BlockLimits, BlockShape, LauncherName, Scheduler, Site

from .nemesis import eventually
from .pilots import executor, far, processes, processes_of, up
from .services import Service

__all__ = ["far"]

pytest.importorskip("ipyparallel")

SLURM_JOBS = ("squeue", "-h", "-o", "%i")
GRIDENGINE_JOBS = ("qstat",)


@contextmanager
def nothing_left(tmp_path: Path, listing: tuple[str, ...]) -> Iterator[None]:
    """Clear in the end, and hold that no job of ours is queued then, and no process runs."""
    try:
        yield
    finally:
        blocks = executor().blocks()
        nf.clear()
    jobs, names = {block.job for block in blocks}, [block.name for block in blocks]

    def queued() -> set[str]:
        told = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        return jobs & set(told.split())

    eventually(lambda: not queued())
    eventually(lambda: not processes(tmp_path) and not processes_of(*names))


@pytest.fixture
def cluster(slurm: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give pilots in jobs of Slurm; what a test leaves loaded ends while there is still a Slurm to ask."""
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    yield Site(
        name="cluster",
        scheduler=Scheduler.SLURM,
        launcher=LauncherName.SRUN,
        working_directory=str(tmp_path / "work"),
        partition="debug",
        block=BlockShape(workers_per_node=2, walltime_seconds=600),
        limits=BlockLimits(init_blocks=2, max_blocks=2),
    )
    nf.clear()


def a_thousand_tasks_survive(cancel: str, told: str) -> None:
    """Run mixed tasks on two blocks; kill all that one's job runs, then have the other's job cancelled.

    `told` is what the batch system then says of that.
    """

    @nf.python_app
    def square(n: int) -> int:
        import time

        time.sleep(0.02 * (n % 3))
        return n * n

    @nf.bash_app
    def shout(n: int) -> str:
        return f"test {n} -ge 0"

    @nf.python_app
    def add(*parts: Any) -> Any:
        return sum(parts)

    eventually(lambda: len(up()) == 2)
    killed, cancelled = up()
    squares = square.map(range(800))
    commands = [shout(n) for n in range(100)]
    sums = [add(*squares[n : n + 8]) for n in range(0, 800, 8)]
    eventually(lambda: sum(future.done() for future in squares) > 100)
    for process in processes_of(killed.name):
        process.kill()
    eventually(lambda: sum(future.done() for future in squares) > 300)
    subprocess.run([cancel, cancelled.job], check=True)

    assert nf.gather(squares) == [n * n for n in range(800)]
    assert nf.gather(commands) == [0] * 100
    assert nf.gather(sums) == [sum(m * m for m in range(n, n + 8)) for n in range(0, 800, 8)]
    ended = {block.name: block.reason for block in executor().blocks() if block.stage == "ended"}
    assert told in ended[cancelled.name], ended
    eventually(lambda: killed.name in {one.name for one in executor().blocks() if one.stage == "ended"})


def test_F2_F10_a_thousand_tasks_survive_the_loss_of_jobs(cluster: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(cluster, address="127.0.0.1"), retries=3)
    with nothing_left(tmp_path, SLURM_JOBS):
        a_thousand_tasks_survive(cancel="scancel", told="cancelled")


def test_F2_F10_the_same_through_a_login_over_ssh(cluster: Site, far: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(replace(cluster, login=far.login, python=far.python, setup=far.setup)), retries=3)
    with nothing_left(tmp_path, SLURM_JOBS):
        a_thousand_tasks_survive(cancel="scancel", told="cancelled")


def test_F2_F10_the_same_on_grid_engine(
    gridengine: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in gridengine.env.items():
        monkeypatch.setenv(name, value)
    site = Site(
        name="grid",
        scheduler=Scheduler.GRIDENGINE,
        working_directory=str(tmp_path / "work"),
        block=BlockShape(workers_per_node=1, walltime_seconds=600),
        limits=BlockLimits(init_blocks=2, max_blocks=2),
    )
    nf.load(nf.Pilots(site, address="127.0.0.1"), retries=3)
    with nothing_left(tmp_path, GRIDENGINE_JOBS):
        # It does not tell a job that was cancelled from one that was killed.
        a_thousand_tasks_survive(cancel="qdel", told="signal 9")


def test_A10_no_key_is_in_what_slurm_tells(cluster: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(cluster, address="127.0.0.1"))
    with nothing_left(tmp_path, SLURM_JOBS):
        eventually(lambda: len(up()) == 2)
        (config,) = (tmp_path / "work" / "pilots").glob("*/ipcontroller_config.py")
        keys = [
            line.split("b'")[1].rstrip("'") for line in config.read_text().splitlines() if "curve_" in line
        ]
        assert len(keys) == 2
        for block in up():
            for words in (("show", "job", "-d", block.job), ("write", "batch_script", block.job, "-")):
                told = subprocess.run(["scontrol", *words], capture_output=True, text=True, check=True).stdout
                assert block.name in told
                assert not [key for key in keys if key in told]
            for process in processes_of(block.name):
                assert not [key for key in keys if key in f"{process.info['environ']} {process.cmdline()}"]


LIES = """#!/bin/bash
# Stands before the real command of its name, and sees to it that not all of its answers arrive.
name=$(basename "$0")
exec 9>>"$0.calls"
flock 9
echo >&9
number=$(wc -l <"$0.calls")
if [ "$name" = sbatch ]; then
    answer=$(REAL/sbatch "$@") || exit
    echo "$answer" >>"$0.taken"
    [ "$number" -gt 1 ] && echo "$answer" && exit
    echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
    exit 1
fi
case $((number % 4)) in
0) ;;
1) echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1 ;;
2) REAL/squeue "$@" | head -c 7 ;;
3) REAL/squeue "$@" ;;
esac
"""


def test_F15_a_batch_system_that_loses_its_answers_gets_no_job_twice_and_no_task_is_lost(
    cluster: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lies"
    folder.mkdir()
    real = Path(shutil.which("squeue") or "").parent
    for name in ("sbatch", "squeue"):
        (folder / name).write_text(LIES.replace("REAL", str(real)))
        (folder / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    nf.load(nf.Pilots(cluster, address="127.0.0.1"), retries=0)

    @nf.python_app
    def mark(n: int, path: str) -> int:
        import time

        time.sleep(0.1)
        with Path(path).open("a") as file:
            file.write(f"{n}\n")
        return n

    with nothing_left(tmp_path, (str(real / "squeue"), "-h", "-o", "%i")):
        eventually(lambda: len(up()) == 2)
        marks = tmp_path / "marks"
        assert nf.gather([mark(n, str(marks)) for n in range(200)]) == list(range(200))
        assert sorted(map(int, marks.read_text().split())) == list(range(200)), "a task ran twice"
        taken = (folder / "sbatch.taken").read_text().split()
        assert len(taken) == len(executor().blocks()) == 2


def test_a_block_of_two_nodes(cluster: Site, tmp_path: Path) -> None:
    wide = replace(
        cluster, block=replace(cluster.block, nodes=2), limits=BlockLimits(init_blocks=1, max_blocks=1)
    )
    nf.load(nf.Pilots(wide, address="127.0.0.1"))

    @nf.python_app
    def where() -> str:
        import os
        import time

        time.sleep(0.2)
        return os.environ["SLURMD_NODENAME"]

    with nothing_left(tmp_path, SLURM_JOBS):
        eventually(lambda: [len(block.nodes) for block in executor().blocks()] == [2])
        assert set(nf.gather([where() for _ in range(8)])) == {"nb1", "nb2"}
        assert {node.host for block in executor().blocks() for node in block.nodes} == {"nb1", "nb2"}


def test_a_graph_runs_on_two_sites_at_once(cluster: Site, tmp_path: Path) -> None:
    nf.load(sites=["local", nf.Pilots(cluster, address="127.0.0.1")], workers=2)

    @nf.python_app
    def work(n: int) -> tuple[int, str]:
        import os
        import time

        time.sleep(0.05)
        return n, os.environ.get("SLURMD_NODENAME", "here")

    @nf.python_app
    def add(*parts: tuple[int, str]) -> int:
        return sum(number for number, _ in parts)

    with nothing_left(tmp_path, SLURM_JOBS):
        eventually(lambda: len(up()) == 2)
        parts = work.map(range(400))
        sums = [add(*parts[n : n + 4]) for n in range(0, 400, 4)]
        assert nf.gather(sums) == [4 * n + 6 for n in range(0, 400, 4)]
        assert {where for _, where in nf.gather(parts)} == {"here", "nb1", "nb2"}
        assert "local" in parts[-1].task.why()
