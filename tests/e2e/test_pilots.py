"""Pilots for real, on this machine and over SSH; `test_clusters` has them in jobs of batch systems."""

import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import nbflow as nf
from nbflow.sites.model import LOCAL, Site
from tests.e2e import victims
from tests.e2e.nemesis import Nemesis, eventually, nemesis
from tests.e2e.pilots import executor, far, processes, processes_of
from tests.e2e.services import ROOT

__all__ = ["far", "nemesis"]

pytest.importorskip("ipyparallel")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give pilots on this machine; afterwards nothing of them may be left."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield replace(LOCAL, working_directory=str(tmp_path / "work"))
    nf.clear()
    eventually(lambda: not processes(tmp_path))
    assert list((tmp_path / "work" / "pilots").iterdir()) == []


@pytest.fixture
def marks(nemesis: Nemesis, here: Site) -> Nemesis:
    """Give the witness, whose checks come before the pilots end."""
    return nemesis


def test_a_run_on_pilots_of_this_machine(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=2))
    double = nf.python_app(lambda n: 2 * n)
    assert nf.gather(double.map(range(500))) == [2 * n for n in range(500)]
    (block,) = executor().blocks()
    assert block.stage == "active"
    (node,) = block.nodes
    assert len(node.slots) == 2


def test_A10_no_key_is_where_others_can_read_it(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1))
    assert nf.python_app(lambda: 1)().result(60) == 1
    folder = tmp_path / "work" / "pilots"
    (run,) = folder.iterdir()
    assert run.stat().st_mode & 0o077 == 0
    config = (run / "ipcontroller_config.py").read_text()
    secrets = [line.split("b'")[1].rstrip("'") for line in config.splitlines() if "curve_" in line]
    assert len(secrets) == 2
    for process in psutil.process_iter(["cmdline", "environ"]):
        said = f"{process.info['cmdline']} {process.info['environ']}"
        assert not [secret for secret in secrets if secret in said], process.info["cmdline"]
    jobs = tmp_path / "home"
    for path in jobs.rglob("*"):
        if path.is_file():
            assert not [secret for secret in secrets if secret.encode() in path.read_bytes()], path


def test_A5_pilots_of_this_machine_listen_to_nobody_else(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1))
    assert nf.python_app(lambda: 1)().result(60) == 1
    blocks = [block.name for block in executor().blocks()]
    doors = {
        connection.laddr.ip
        for process in (psutil.Process(), *processes(tmp_path), *processes_of(*blocks))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert doors == {"127.0.0.1"}


def test_F2_pilots_that_are_killed_are_replaced(here: Site, marks: Nemesis, tmp_path: Path) -> None:
    nf.load(
        nf.Pilots(here, workers_per_node=1, init_blocks=2, max_blocks=2),
        retries=nf.RetryPolicy(count=3, on=(nf.errors.WorkerLost,)),
    )
    patient = nf.python_app(victims.patient)
    for n in range(300):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    eventually(lambda: sum(marks.runs().values()) > 30)
    marks.random.choice(processes(tmp_path, "ipyparallel.engine")).kill()
    marks.check()


def test_F3_a_controller_that_is_killed_comes_back_and_nothing_runs_twice(
    here: Site, marks: Nemesis, tmp_path: Path
) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, max_blocks=2))
    patient = nf.python_app(victims.patient)
    for n in range(200):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    eventually(lambda: sum(marks.runs().values()) > 20)
    before = {process.pid for process in processes(tmp_path, "ipyparallel.controller")}
    for process in processes(tmp_path, "ipyparallel.controller"):
        process.send_signal(signal.SIGKILL)
    marks.check()
    assert set(marks.runs().values()) == {1}
    eventually(lambda: {one.pid for one in processes(tmp_path, "ipyparallel.controller")} - before != set())
    executor().scale(2)  # and new engines can register with it
    eventually(lambda: sum(len(block.nodes) for block in executor().blocks()) == 2)


def test_F1_workers_of_a_pilot_that_die_at_random_lose_nothing(here: Site, marks: Nemesis) -> None:
    nf.load(nf.Pilots(here, workers_per_node=2), retries=5)
    patient, poison = nf.python_app(victims.patient), nf.python_app(retries=100)(victims.poison)
    marks.submit(poison, "poison", expect=nf.errors.WorkerLost)
    for n in range(200):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    marks.check()
    assert marks.runs()["poison"] <= 4


def test_an_agent_that_is_killed_comes_back_with_its_controller(here: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, max_blocks=2))
    one = nf.python_app(lambda: 1)
    assert one().result(60) == 1
    (agent,) = processes(tmp_path, "-m nbflow.executors.pilots.agent")
    agent.kill()
    assert one().result(60) == 1
    executor().scale(2)
    eventually(lambda: sum(len(block.nodes) for block in executor().blocks()) == 2)


def test_a_call_has_the_cores_that_it_asks_for(here: Site) -> None:
    nf.load(nf.Pilots(here, workers_per_node=2))

    @nf.python_app(cores=2)
    def wide() -> str:
        import os

        return os.environ["OMP_NUM_THREADS"]

    assert wide().result(60) == "2"


def test_F10_the_end_of_a_walltime_costs_no_retry(here: Site, marks: Nemesis) -> None:
    nf.load(nf.Pilots(here, workers_per_node=2, walltime=9), retries=0)
    patient = nf.python_app(victims.slow)
    for n in range(30):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    marks.check()
    assert len(executor().blocks()) > 1


def test_engines_that_lack_nbflow_are_reported_and_given_back(
    here: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken" / "nbflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('nbflow is not installed here')")
    only_in_jobs = f'[ -z "${{NBFLOW_BLOCK:-}}" ] || export PYTHONPATH={broken.parent}'
    setup = (f"export PYTHONPATH={ROOT}", only_in_jobs)
    nf.load(nf.Pilots(replace(here, python=sys.executable, setup=setup), init_blocks=1))
    eventually(lambda: "cannot start a lane" in caplog.text)
    assert "nbflow is not installed here" in caplog.text
    eventually(lambda: executor().blocks()[0].stage == "ended")


def test_idle_pilots_are_given_back(here: Site) -> None:
    nf.load(nf.Pilots(here, workers_per_node=1, idle_seconds=1))
    assert nf.python_app(lambda: 1)().result(60) == 1
    eventually(lambda: [block.stage for block in executor().blocks()] == ["ended"])
    assert nf.python_app(lambda: 2)().result(60) == 2


def test_pilots_over_ssh_come_through_a_relay(far: Site, tmp_path: Path) -> None:
    nf.load(nf.Pilots(far, workers_per_node=2), retries=2)
    double = nf.python_app(lambda n: 2 * n)
    assert nf.gather(double.map(range(500))) == [2 * n for n in range(500)]
    size = nf.python_app(len)
    assert size(bytes(5_000_000)).result(60) == 5_000_000
    assert [row.slots for row in nf.nodes()] == [2]


def test_F7_a_relay_connection_that_breaks_costs_nothing(far: Site, marks: Nemesis, tmp_path: Path) -> None:
    nf.load(nf.Pilots(far, workers_per_node=1))
    patient = nf.python_app(victims.patient)
    for n in range(200):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    eventually(lambda: sum(marks.runs().values()) > 20)
    tunnel = executor()._tunnel
    tunnel._loop.call_soon_threadsafe(lambda: [task.cancel() for task in tunnel._tasks])
    marks.check()
    assert set(marks.runs().values()) == {1}


def test_F16_a_login_that_is_lost_is_made_again_and_nothing_runs_twice(far: Site, marks: Nemesis) -> None:
    nf.load(nf.Pilots(far, workers_per_node=1))
    patient = nf.python_app(victims.patient)
    for n in range(300):
        marks.submit(patient, f"call{n}", n, expect=2 * n)
    eventually(lambda: sum(marks.runs().values()) > 20)
    me = psutil.Process()
    ours = {one.laddr for one in me.net_connections("tcp") if one.raddr}
    servers = {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.raddr in ours and one.pid not in (None, me.pid) and "sshd" in psutil.Process(one.pid).name()
    }
    assert servers
    for pid in servers:
        psutil.Process(pid).kill()
    marks.check()
    assert set(marks.runs().values()) == {1}


FAILS = """
import io, pickle, sys, time
import nbflow as nf

run = nf.load(nf.Pilots(pickle.loads({site!r}), workers_per_node=1))

@nf.python_app
def share(total, people):
    each = [total]
    return total / people

if __name__ == "__main__":
    failed = share(12, 0)
    nf.wait([failed])
    nf.scale(0)
    while any(row.stage != "ended" for row in nf.nodes() if row.block):
        time.sleep(0.05)
    print(run.run_id)
    sys.stdin = io.StringIO("p each\\nq\\n")
    failed.task.debug()
"""


def test_a_failure_can_be_debugged_when_its_pilot_is_gone_and_when_its_kernel_is(
    here: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    script = tmp_path / "notebook.py"
    script.write_text(FAILS.format(site=pickle.dumps(here)))

    def said(*words: str | Path, answers: str = "") -> str:
        ran = subprocess.run(
            [sys.executable, *words], input=answers, capture_output=True, text=True, timeout=90, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run, _, told = said(script).partition("\n")
    assert "[12]" in told
    told = said("-m", "nbflow", "debug", run, "1", answers="p each\np people + 1\nq\n")
    assert "[12]" in told
    assert "return total / people" in told
