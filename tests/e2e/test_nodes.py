"""What runs on the nodes of pilots: threads in a worker, commands on several nodes, limits of all kinds."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import nbflow as nf
from nbflow.sites.model import BlockLimits, LauncherName, Site
from tests.e2e import victims
from tests.e2e.nemesis import Nemesis, eventually, nemesis
from tests.e2e.pilots import executor
from tests.e2e.test_clusters import cluster
from tests.e2e.test_pilots import here, marks

__all__ = ["cluster", "here", "marks", "nemesis"]

pytest.importorskip("ipyparallel")


def test_calls_that_wait_share_a_worker(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, threads_per_worker=8))

    @nf.python_app
    def meet(where: str, number: int) -> int:
        Path(where, str(number)).touch()
        while len(list(Path(where).iterdir())) < 8:
            time.sleep(0.01)
        print("met as", number)
        return os.getpid()

    (tmp_path / "meeting").mkdir()
    futures = [meet(str(tmp_path / "meeting"), number) for number in range(8)]
    assert len(set(nf.gather(futures, timeout=60))) == 1
    assert futures[5].task.logs() == "met as 5\n"
    (row,) = nf.nodes()
    assert row.slots == 8


def test_F1_a_poison_call_in_a_thread_is_found_and_its_siblings_pay_nothing(
    here: Site, marks: Nemesis
) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, threads_per_worker=4))
    slow, poison = nf.python_app(victims.slow), nf.python_app(retries=100)(victims.deadly)
    for n in range(8):
        marks.submit(slow, f"before{n}", n, expect=2 * n)
    bad = marks.submit(poison, "poison", expect=nf.errors.WorkerLost)
    for n in range(8):
        marks.submit(slow, f"after{n}", n, expect=2 * n)
    marks.check()
    assert "exit code 7" in str(bad.exception())
    assert marks.runs()["poison"] <= 4


def test_a_walltime_in_a_thread_ends_the_waiting_and_harms_no_sibling(here: Site, marks: Nemesis) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, threads_per_worker=2))
    slow, nap = nf.python_app(victims.slow), nf.python_app(walltime=0.2)(time.sleep)
    for n in range(6):
        marks.submit(slow, f"call{n}", n, expect=2 * n)
    late = nap(60)
    assert isinstance(late.exception(60), nf.errors.AppTimeout)
    marks.check()
    assert set(marks.runs().values()) == {1}


def test_F10_a_task_that_no_block_is_long_enough_for_fails_and_says_so(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, walltime=9), retries=100)

    @nf.python_app
    def endless(log: str) -> None:
        with Path(log).open("a") as file:
            file.write("started\n")
        time.sleep(600)

    error = endless(str(tmp_path / "log")).exception(60)
    assert isinstance(error, nf.errors.BlockTooShort)
    assert error.seconds > 0.8 * error.lifetime
    assert "walltime=" in str(error)
    assert (tmp_path / "log").read_text().count("started") <= 3


def test_F11_a_call_that_holds_more_than_its_memory_is_ended_and_its_siblings_are_not(
    here: Site, marks: Nemesis
) -> None:
    nf.load(nf.Pilots(here, workers_per_node=2))

    @nf.python_app(memory="200 MB", retries=1)
    def hoard(mark: str) -> None:
        victims.mark(mark)
        held = []
        for _ in range(40):
            held.append(bytearray(os.urandom(1 << 20) * 10))
            time.sleep(0.02)

    slow, modest = nf.python_app(victims.slow), nf.python_app(memory="200 MB")(victims.patient)
    bad = marks.submit(hoard, "hoard", expect=nf.errors.WorkerLost)
    for n in range(10):
        marks.submit(slow, f"sibling{n}", n, expect=2 * n)
        marks.submit(modest, f"modest{n}", n, expect=2 * n)
    marks.check()
    error = bad.exception()
    assert isinstance(error, nf.errors.WorkerLost)
    assert error.reason == "out of memory"
    assert "its memory= is 200 MB" in str(error)
    runs = marks.runs()
    assert runs.pop("hoard") == 2
    assert set(runs.values()) == {1}


@pytest.fixture(scope="session")
def openmpi() -> None:
    """Have Open MPI's mpiexec."""
    said = subprocess.run(["sh", "-c", "mpiexec --version"], capture_output=True, text=True, check=False)
    if "OpenRTE" not in said.stdout and "Open MPI" not in said.stdout:  # its names in version 4 and 5
        pytest.skip("no Open MPI: apt-get install openmpi-bin")


ROOT_MAY = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


@pytest.mark.parametrize("launcher", [LauncherName.SINGLE, LauncherName.OPENMPI])
def test_a_command_is_started_as_several_processes_by_open_mpi(
    openmpi: None, here: Site, tmp_path: Path, launcher: LauncherName
) -> None:
    nf.load(nf.Pilots(replace(here, launcher=launcher, environment=ROOT_MAY), workers_per_node=2))

    @nf.bash_app(ranks_per_node=2)
    def ranks(folder: str) -> str:
        return f"echo $OMPI_COMM_WORLD_SIZE > {folder}/rank$OMPI_COMM_WORLD_RANK; echo said"

    future = ranks(str(tmp_path))
    assert future.result(60) == 0
    assert [(tmp_path / f"rank{number}").read_text() for number in range(2)] == ["2\n", "2\n"]
    assert future.task.logs() == "said\nsaid\n"


def test_a_failing_process_of_several_fails_the_call(openmpi: None, here: Site) -> None:
    nf.load(nf.Pilots(replace(here, environment=ROOT_MAY), workers_per_node=2))

    @nf.bash_app(ranks_per_node=2)
    def fail() -> str:
        return "exit $OMPI_COMM_WORLD_RANK"

    assert isinstance(fail().exception(60), nf.errors.BashExitFailure)


def test_F2_a_command_over_two_nodes_of_slurm_is_lost_with_one_of_them_and_runs_again(
    cluster: Site, tmp_path: Path
) -> None:
    pairs = replace(cluster, block=replace(cluster.block, nodes=2), limits=BlockLimits(max_blocks=1))
    nf.load(nf.Pilots(pairs, address="127.0.0.1"), retries=1)

    @nf.bash_app(nodes=2, ranks_per_node=2)
    def everywhere(folder: str) -> str:
        first = f"echo $SLURMD_NODENAME >> {folder}/$SLURM_PROCID"
        return f"{first}; while [ ! -e {folder}/go ]; do sleep 0.1; done; echo $SLURMD_NODENAME"

    @nf.python_app(nodes=2)
    def by_hand() -> str:
        command = f"{os.environ['NBFLOW_LAUNCH']} printenv SLURMD_NODENAME"
        return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout

    assert sorted(by_hand().result(120).split()) == ["nb1", "nb2"]
    future = everywhere(str(tmp_path))
    eventually(lambda: len(list(tmp_path.glob("[0-3]"))) == 4)
    (block,) = (block for block in executor().blocks() if block.nodes)
    slot, second = block.nodes
    if not slot.slots[0].tasks and not slot.slots[-1].tasks:
        slot, second = second, slot
    (engine,) = engines(block.name, second.host)
    engine.kill()
    eventually(lambda: len(future.task.attempts) == 2, seconds=90)
    lost = future.task.attempts[0].detail
    assert (lost.cause, lost.error) == ("lost", "WorkerLost")
    assert second.name in (lost.message or "")
    (tmp_path / "go").touch()
    assert future.result(120) == 0
    assert sorted(future.task.logs().split()) == ["nb1", "nb1", "nb2", "nb2"]
    left = subprocess.run(["pgrep", "-f", f"{tmp_path}/go"], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def engines(block: str, host: str) -> list[psutil.Process]:
    """Return the engines of a block on one of its nodes."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline", "ppid"]):
        environ = process.info["environ"] or {}
        is_there = environ.get("NBFLOW_BLOCK") == block and environ.get("SLURMD_NODENAME") == host
        # srun, on the first node, has the engine's command among its arguments.
        if is_there and (process.info["cmdline"] or [])[1:3] == ["-m", "ipyparallel.engine"]:
            found.append(process)
    # A child that has just been forked, and is nothing else yet, looks like its engine.
    return [one for one in found if one.info["ppid"] not in {other.pid for other in found}]
