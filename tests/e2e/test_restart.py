"""A notebook whose kernel is killed or restarted, for real: nothing that was finished is run again."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from playwright.sync_api import Page, expect

from .jupyterlab import Lab, Notebook
from .nemesis import eventually
from .services import ROOT

LIFE = """
import json, os, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
life, cells = json.loads(sys.argv[1])
shell.user_ns["LIFE"] = life
for name, source in cells:
    shell.run_cell(source, store_history=True, cell_id=name).raise_error()
"""
"""One life of a notebook's kernel, without the channels of a real one: it starts in half the time."""

APPS = '''
import os, time
from pathlib import Path
import nbflow as nf

began = time.monotonic()
print(nf.load(workers=2))
attached = time.monotonic() - began

def mark(kind, life, name):
    """Make a mark, and fail when it is there: a call that runs twice in one life is seen, too."""
    os.close(os.open(f"{kind}.{life}.{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))

def started(name):
    mark("start", Path("life").read_text(), name)
    time.sleep(0.008)

@nf.python_app
def leaf(n):
    started(f"leaf{n}")
    return n * n

@nf.python_app
def add(n, left, right):
    started(f"add{n}")
    return [left, right]

@nf.python_app
def total(n, parts):
    started(f"total{n}")
    return sum(map(sum, parts))
'''

GRAPH = """
leaves = leaf.map(range(150))
pairs = [add(n, leaves[n], leaves[n + 1]) for n in range(140)]
totals = [total(n, pairs[14 * n : 14 * n + 14]) for n in range(10)]
for kind, futures in ("leaf", leaves), ("add", pairs), ("total", totals):
    for number, future in enumerate(futures):
        # What the user is told is finished.
        future.add_done_callback(lambda _, name=f"{kind}{number}": mark("finish", LIFE, name))
"""

CHECK = """
assert nf.gather(leaves) == [n * n for n in range(150)]
assert nf.gather(totals) == [sum(n * n + (n + 1) ** 2 for n in range(14 * k, 14 * k + 14)) for k in range(10)]
print(f"attached in {attached:.2f} s")
"""

KILLS = 20


class Marks:
    """What the calls of all lives left in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, kind: str) -> list[tuple[int, str]]:
        """Return life and name of every mark of a kind."""
        found = [path.name.split(".") for path in self.folder.glob(f"{kind}.*")]
        return [(int(life), name) for _, life, name in found]


def test_F4_a_kernel_killed_at_20_random_points_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("NEMESIS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"NEMESIS_SEED={seed}")
    dice, marks = random.Random(seed), Marks(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "study.ipynb"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cells = [("apps", APPS), ("graph", GRAPH), ("check", CHECK)]

    def live(life: int) -> subprocess.Popen[str]:
        (tmp_path / "life").write_text(str(life))
        command = [sys.executable, "-c", LIFE, json.dumps([life, cells])]
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    for life in range(KILLS):
        with live(life) as kernel:
            # Some die while they begin, the others in the midst of their calls.
            most = dice.randrange(0, 18)
            eventually(lambda: sum(of == life for of, _ in marks.of("start")) >= most)  # noqa: B023
            time.sleep(dice.random() * 0.03)
            kernel.kill()
    assert len(marks.of("start")) < 300 + 10 * KILLS
    with live(KILLS) as kernel:
        out, _ = kernel.communicate(timeout=60)
    assert kernel.returncode == 0, out
    print(out)

    finished = {name: life for life, name in sorted(marks.of("finish"), reverse=True)}  # the first time
    assert len(finished) == 300
    again = [(life, name) for life, name in marks.of("start") if life > finished[name]]
    assert again == [], "a call ran after it was finished"
    print(f"{len(marks.of('start')) - 300} calls ran that no kernel had heard the end of")


SETUP = """
import time
from pathlib import Path
import nbflow as nf
nf.load(workers=2)

@nf.python_app
def measure(station):
    with open({log!r}, "a") as file:
        file.write(f"{{station}}\\n")
    return station * 10

@nf.python_app
def average(values):
    with open({log!r}, "a") as file:
        file.write("average\\n")
    return sum(values) / len(values)
"""

RUN = "mean = average(measure.map(range(6)))\nmean.result()"


def execute(client: BlockingKernelClient, cell: str, source: str) -> str:
    """Run a cell as JupyterLab does, with its id; return what it writes and gives."""
    message = client.session.msg(
        "execute_request",
        {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        },
        metadata={"cellId": cell},
    )
    client.shell_channel.send(message)
    said = ""
    while True:
        heard = client.get_iopub_msg(timeout=60)
        if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        kind, content = heard["msg_type"], heard["content"]
        assert kind != "error", "\n".join(content["traceback"])
        said += content.get("text") or content.get("data", {}).get("text/plain", "")
        if kind == "status" and content["execution_state"] == "idle":
            return said


def test_a_real_kernel_that_is_killed_and_restarted_binds_and_runs_anew_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "study.ipynb"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    log = tmp_path / "runs.txt"
    setup = SETUP.format(log=str(log))
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        execute(client, "one", setup)
        assert execute(client, "two", RUN) == "25.0"
        said = execute(client, "two", RUN)
        assert "nbflow: 7 of 7 calls are bound to work that was there already. " in said
        assert len(log.read_text().splitlines()) == 7

        for restart in (lambda: manager.restart_kernel(now=True), manager.restart_kernel):
            restart()
            client.wait_for_ready(60)
            execute(client, "one", setup)
            said = execute(client, "two", RUN)
            assert "nbflow: 7 of 7 calls are bound to work of run " in said
            assert "25.0" in said
            assert len(log.read_text().splitlines()) == 7

        changed = setup.replace("/ len(values)", "/ len(values) + 1")
        execute(client, "one", changed)
        said = execute(client, "two", RUN)
        assert "nbflow: 6 of 7 calls are bound to work of run " in said
        assert "26.0" in said
        assert log.read_text().splitlines()[7:] == ["average"]

        execute(client, "three", "%load_ext nbflow")
        assert "calls run anew" in execute(client, "three", "%nbflow fresh")
        assert execute(client, "two", RUN) == "26.0"
        assert len(log.read_text().splitlines()) == 8 + 7
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_restart_the_kernel_and_run_all_cells_in_jupyterlab(
    notebook: Callable[..., Notebook], lab: Lab, page: Page, pictures: Path
) -> None:
    log = lab.folder / "restarted.txt"
    opened = notebook("restarted", SETUP.format(log=str(log)), RUN)
    opened.run(0)
    expect(opened.run(1)).to_contain_text("25.0")
    assert len(log.read_text().splitlines()) == 7

    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:restart-run-all')")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    output = opened.cell(1).locator(".jp-OutputArea").first
    expect(output).to_contain_text("7 of 7 calls are bound to work of run ", timeout=60_000)
    expect(output).to_contain_text("To run them anew: nbflow.load(fresh=True)")
    expect(output).to_contain_text("25.0")
    output.scroll_into_view_if_needed()
    page.screenshot(path=pictures / "restarted.png")
    assert len(log.read_text().splitlines()) == 7
