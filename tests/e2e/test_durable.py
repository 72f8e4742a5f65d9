"""Pilots whose kernel is killed, or restarted by Jupyter, for real."""

import json
import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

import nbflow as nf
from nbflow.cli import main
from nbflow.config.pilots import berths_dir, build_pilots
from nbflow.config.sessions import stop_session
from nbflow.core.events import Returned
from nbflow.core.ids import SlotId, TaskId, TryId
from nbflow.executors.pilots.executor import PilotsExecutor
from nbflow.executors.protocol import Held
from nbflow.journal.reader import open_run
from nbflow.sites.model import LOCAL, Login
from tests.contracts.executors import Driver
from tests.e2e.nemesis import eventually
from tests.e2e.services import ROOT, Service
from tests.e2e.test_pilots import processes
from tests.e2e.test_restart import LIFE

pytest.importorskip("ipyparallel")

NOTEBOOK = """
import pickle, sys, time
import nbflow as nf

site = pickle.loads({site!r})
run = nf.load(nf.Pilots(site, workers_per_node=2, orphan_seconds={orphan}))

@nf.python_app
def wait(path):
    import time
    from pathlib import Path
    with open(path + ".starts", "a") as file:
        file.write("x")
    while not Path(path).exists():
        time.sleep(0.01)
    return "done"

first, second = wait({go!r}), wait({go!r} + "2")
while sum(len(row.tasks) for row in nf.nodes()) < 2:
    time.sleep(0.02)
"""


class Notebook:
    """A notebook whose kernels come and go."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.go = folder / "go"
        self.site = replace(LOCAL, working_directory=str(folder / "work"))
        monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "notebook.ipynb"))
        monkeypatch.setenv("HOME", str(folder / "home"))
        monkeypatch.setenv("NBFLOW_STATE_DIR", str(folder / "state"))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def source(self, orphan: float = 60.0) -> str:
        return NOTEBOOK.format(site=pickle.dumps(self.site), go=str(self.go), orphan=orphan)

    def run_and_die(self, orphan: float = 60.0, **environment: str) -> str:
        """Run the cells in a kernel, have its calls start, and kill it; return the name of its run."""
        code = self.source(orphan) + "print(run.run_id, flush=True)\ntime.sleep(60)\n"
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        ) as kernel:
            assert kernel.stdout is not None
            run = kernel.stdout.readline().strip()
            eventually(lambda: self.starts() == (1, 1))
            kernel.kill()
        return run

    def starts(self) -> tuple[int, ...]:
        marks = [Path(f"{self.go}{number}.starts") for number in ("", "2")]
        return tuple(len(mark.read_text()) if mark.exists() else 0 for mark in marks)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    yield Notebook(tmp_path, monkeypatch)
    nf.clear()
    eventually(lambda: not processes(tmp_path))
    assert list((tmp_path / "work" / "pilots").iterdir()) == []


def open_next(notebook: Notebook, name: str = "notebook") -> Driver:
    executor = build_pilots(nf.Pilots(notebook.site, workers_per_node=2, orphan_seconds=60))
    assert isinstance(executor, PilotsExecutor)
    executor.belong("next", str(notebook.folder / f"{name}.ipynb"))
    driver = Driver(executor)
    driver._slots = []
    executor.start(driver._posted.put)
    return driver


def slot_of(run: str, task: int) -> SlotId:
    with open_run(run) as journal:
        (attempt,) = journal.attempts(task)
    assert attempt.slot is not None
    return SlotId(attempt.slot)


def take_over(notebook: Notebook, run: str) -> None:
    """Be the next kernel, and have the results of the calls that run."""
    before = {process.pid for process in processes(notebook.folder, "ipyparallel.engine")}
    began = time.monotonic()
    driver = open_next(notebook)
    print(f"attached in {time.monotonic() - began:.2f} s")
    executor = driver.executor
    assert isinstance(executor, PilotsExecutor)
    try:
        assert {one.slot for one in executor.held() if one.run == run} == {slot_of(run, 1), slot_of(run, 2)}
        (notebook.folder / "go2").touch()
        notebook.go.touch()
        for task in (TaskId(1), TaskId(2)):
            now = driver.call(len, ())
            executor.adopt(Held(run, slot_of(run, task)), (task, TryId(1)), now)
            end = driver.end_of(now)
            assert isinstance(end, Returned), end
            assert end.value == "done"
        driver.wait_until(lambda: len(driver.slots) == 2)
        assert isinstance(driver.run(lambda: 1), Returned)
        assert notebook.starts() == (1, 1)
        assert {one.pid for one in processes(notebook.folder, "ipyparallel.engine")} == before
        eventually(lambda: [block.stage for block in executor.blocks()] == ["active"])
    finally:
        driver.close()


def test_F4_calls_outlive_a_kernel_that_is_killed_and_run_once(notebook: Notebook) -> None:
    take_over(notebook, notebook.run_and_die())


APPS = """
import os, pickle, time
from pathlib import Path
import nbflow as nf

began = time.monotonic()
nf.load(nf.Pilots(pickle.loads({site!r}), workers_per_node=2, orphan_seconds=60))
attached = time.monotonic() - began
FOLDER = {folder!r}

def mark(name):
    os.close(os.open(os.path.join(FOLDER, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY))

def started(name):
    if os.path.exists(os.path.join(FOLDER, f"end.{{name}}")):
        mark(f"again.{{name}}")
    mark(f"start.{{name}}.{{time.time_ns()}}")
    time.sleep(0.02)

@nf.python_app
def leaf(n):
    started(f"leaf{{n}}")
    mark(f"end.leaf{{n}}")
    return n * n

@nf.python_app
def add(n, left, right):
    started(f"add{{n}}")
    mark(f"end.add{{n}}")
    return [left, right]

@nf.python_app
def total(n, parts):
    started(f"total{{n}}")
    mark(f"end.total{{n}}")
    return sum(map(sum, parts))
"""

GRAPH = """
leaves = leaf.map(range(150))
pairs = [add(n, leaves[n], leaves[n + 1]) for n in range(140)]
totals = [total(n, pairs[14 * n : 14 * n + 14]) for n in range(10)]
"""

CHECK = """
assert nf.gather(leaves) == [n * n for n in range(150)]
assert nf.gather(totals) == [sum(n * n + (n + 1) ** 2 for n in range(14 * k, 14 * k + 14)) for k in range(10)]
print(f"attached in {attached:.2f} s")
"""

KILLS = 20


def test_F4_a_kernel_killed_at_20_random_points_finds_what_its_pilots_ran(notebook: Notebook) -> None:
    dice = random.Random(seed := int(os.environ.get("NEMESIS_SEED", random.SystemRandom().randrange(10**6))))
    print(f"NEMESIS_SEED={seed}")
    folder = notebook.folder / "marks"
    folder.mkdir()
    apps = APPS.format(site=pickle.dumps(notebook.site), folder=str(folder))
    cells = [("apps", apps), ("graph", GRAPH), ("check", CHECK)]

    def starts() -> int:
        return len(list(folder.glob("start.*")))

    def live(life: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LIFE, json.dumps([life, cells])]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    for life in range(KILLS):
        with live(life) as kernel:
            # Some die while they begin, the others in the midst of their calls.
            before, most = starts(), dice.randrange(0, 25)
            if life and not most:
                time.sleep(dice.random())
            eventually(lambda: starts() >= min(before + most, 300))  # noqa: B023
            time.sleep(dice.random() * 0.05)
            kernel.kill()
    with live(KILLS) as kernel:
        out, _ = kernel.communicate(timeout=60)
    assert kernel.returncode == 0, out
    print(out, f"{starts() - 300} calls ran again that had not ended")
    assert len(list(folder.glob("end.*"))) == 300
    assert list(folder.glob("again.*")) == []


def test_F4_the_same_through_the_relay_of_a_login_over_ssh(notebook: Notebook, sshd: Service) -> None:
    notebook.site = replace(
        notebook.site,
        name="far",
        login=Login(host="nbflow-self", ssh_config=sshd.env["NBFLOW_SSH_CONFIG"]),
        python=sys.executable,
        setup=(f"export PYTHONPATH={ROOT}", f"export HOME={notebook.folder / 'home'}"),
    )
    take_over(notebook, notebook.run_and_die())


def test_A10_what_the_next_kernel_needs_is_for_this_user_only(notebook: Notebook) -> None:
    notebook.run_and_die()
    paths = [path for path in [berths_dir(), *berths_dir().rglob("*")] if path.exists()]
    assert len(paths) >= 3
    assert not [path for path in paths if path.stat().st_mode & 0o077]
    (record,) = berths_dir().rglob("record.json")
    secret = json.loads(record.read_text())["secret"]
    for process in psutil.process_iter(["cmdline", "environ"]):
        assert secret not in f"{process.info['cmdline']} {process.info['environ']}"
    open_next(notebook).close()
    assert list(berths_dir().iterdir()) == []


def test_pilots_that_a_kernel_left_are_listed_and_stopped(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    run = notebook.run_and_die()
    (session,) = nf.sessions()
    assert (session.run, session.site, session.blocks) == (run, "local", 1)
    assert session.state.startswith("no kernel, until")
    with pytest.raises(nf.errors.ConfigError, match=session.name):
        stop_session("another")
    driver = open_next(notebook)
    assert nf.sessions()[0].state == "used by run next"
    with pytest.raises(nf.errors.ConfigError, match="a kernel uses"):
        stop_session(session.name)
    assert isinstance(driver.executor, PilotsExecutor)
    driver.executor.leave()
    assert main(["sites", "sessions"]) == 0
    assert str(notebook.folder / "notebook.ipynb") in capsys.readouterr().out
    assert main(["sites", "stop", session.name]) == 0
    assert "no pilots" in capsys.readouterr().out
    eventually(lambda: not processes(notebook.folder))


def test_pilots_that_were_started_before_there_is_a_kernel_are_taken_over(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook.folder / "notebook.ipynb"
    with pytest.raises(nf.errors.ConfigError, match="1 or more"):
        nf.start_session(notebook.site, path, blocks=0)
    session = nf.start_session(notebook.site, path, wait_seconds=60)
    assert (session.site, session.notebook, session.blocks) == ("local", str(path), 1)
    assert session.state.startswith("no kernel, until")
    eventually(lambda: len(processes(notebook.folder, "ipyparallel.engine")) == 1)
    (engine,) = processes(notebook.folder, "ipyparallel.engine")
    nf.load(nf.Pilots(notebook.site, workers_per_node=2))
    assert nf.python_app(abs)(-3).result(timeout=60) == 3
    assert processes(notebook.folder, "ipyparallel.engine") == [engine], "it asked for pilots of its own"
    with pytest.raises(nf.errors.ConfigError, match="has pilots at local already"):
        nf.start_session(notebook.site, path)
    nf.clear()
    assert main(["sites", "start", "no-such-site", str(path)]) == 2
    assert "no-such-site" in capsys.readouterr().err


def test_pilots_that_nobody_comes_for_end_with_all_that_served_them(notebook: Notebook) -> None:
    notebook.run_and_die(orphan=2.0)
    eventually(lambda: not processes(notebook.folder))


def test_another_notebook_gets_pilots_of_its_own(notebook: Notebook) -> None:
    notebook.run_and_die()
    for name in ("another", "notebook"):
        driver = open_next(notebook, name)
        assert isinstance(driver.executor, PilotsExecutor)
        assert len(driver.executor.held()) == (0 if name == "another" else 2)
        driver.close()


def test_a_kernel_that_jupyter_restarts_leaves_its_pilots_and_one_that_it_shuts_down_ends_them(
    notebook: Notebook,
) -> None:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive(notebook.source(), timeout=60)
        eventually(lambda: notebook.starts() == (1, 1))
        before = {process.pid for process in processes(notebook.folder, "ipyparallel.engine")}
        assert before
        manager.restart_kernel()
        client.wait_for_ready(60)
        load, _, _ = notebook.source().partition("@nf.python_app")
        client.execute_interactive(f"{load}\nheld = run._kernel.executors[0].held()", timeout=60)
        said = client.execute_interactive("", user_expressions={"held": "len(held)"}, timeout=60)
        assert said["content"]["user_expressions"]["held"]["data"]["text/plain"] == "2"
        assert {one.pid for one in processes(notebook.folder, "ipyparallel.engine")} == before
        assert notebook.starts() == (1, 1)
        manager.shutdown_kernel()
        eventually(lambda: not processes(notebook.folder))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
