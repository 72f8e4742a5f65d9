"""The first winning moment: one bug in a large graph, edited in the notebook and retried, by any hand.

A real notebook kernel with worker processes. Each call leaves a mark, so what ran how often is counted by the
file system and not by nbflow.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from .nemesis import eventually

SETUP = """
%load_ext nbflow
import time, uuid, nbflow as nf
from pathlib import Path
marks, slow = Path("{0}/marks"), Path("{0}/slow")
marks.mkdir()
nf.load(workers=2)

def mark(name):
    (marks / f"{{name}}.{{uuid.uuid4()}}").touch()
"""

LEAF = """
@nf.python_app
def leaf(n):
    mark(f"leaf{n}")
    while n == 63 and slow.exists():
        time.sleep(0.01)
    return {body}
"""

GRAPH = """
@nf.python_app
def total(name, parts):
    mark(name)
    return sum(parts)

leaves = leaf.map(range(64))
middles = [total(f"middle{n}", leaves[8 * n:8 * n + 8]) for n in range(8)]
top = total("top", middles)
"""

BROKEN, MENDED = "1 // (n not in (7, 21, 40)) * n", "n"


class Notebook:
    """A notebook kernel, as its user sees it."""

    def __init__(self, client: BlockingKernelClient, folder: Path) -> None:
        self._client = client
        self._marks = folder / "marks"

    def run(self, code: str) -> None:
        """Run a cell; it must not fail."""
        self.await_end(self.start(code))

    def start(self, code: str) -> str:
        """Begin to run a cell; return its name for `await_end`."""
        return str(self._client.execute(code))

    def await_end(self, started: str) -> None:
        """Wait for the end of a cell; it must not fail."""
        while (reply := self._client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != started:
            pass
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])

    def value(self, expression: str) -> Any:
        """Return what an expression of plain values is in the kernel."""
        reply = self._client.execute("", user_expressions={"it": expression}, reply=True, timeout=60)
        it = reply["content"]["user_expressions"]["it"]
        assert it["status"] == "ok", it
        return eval(it["data"]["text/plain"])

    def ran(self) -> Counter[str]:
        """Count how often each call ran."""
        return Counter(mark.name.partition(".")[0] for mark in self._marks.iterdir())


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    manager, client = start_new_kernel(kernel_name="python3")
    opened = Notebook(client, tmp_path)
    opened.run(SETUP.format(tmp_path))
    yield opened
    client.stop_channels()
    manager.shutdown_kernel(now=False)


def nbflow(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nbflow", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


RETRIES: dict[str, tuple[Callable[[Notebook], Any], str]] = {
    "python": (lambda notebook: notebook.run("nf.retry(failed=True)"), "by Python (failed=True)"),
    "magic": (lambda notebook: notebook.run("%nbflow retry --failed"), "by %nbflow retry (failed=True)"),
    "cli": (lambda notebook: nbflow("retry", "last", "--failed"), "by nbflow retry"),
}


@pytest.mark.parametrize("siblings", ["done", "running"])
@pytest.mark.parametrize("hand", RETRIES)
def test_exactly_what_failed_and_what_waits_for_it_runs(
    notebook: Notebook, tmp_path: Path, hand: str, siblings: str
) -> None:
    retry, words = RETRIES[hand]
    if siblings == "running":
        (tmp_path / "slow").touch()
    notebook.run(LEAF.replace("{body}", BROKEN))
    notebook.run(GRAPH)
    notebook.run("held = [top, *middles, *leaves]; ended = nf.wait([leaves[n] for n in (7, 21, 40)])")
    if siblings == "done":
        notebook.run("ended = nf.wait(held)")
        before = notebook.ran()
        assert before.keys().isdisjoint({"top", "middle0", "middle2", "middle5"})
    notebook.run(LEAF.replace("{body}", MENDED))
    retry(notebook)
    if siblings == "running":
        eventually(lambda: notebook.ran()["middle5"] == 1)
        assert notebook.value("leaves[63].task.state") == "running"
        assert notebook.value("middles[7].task.state") == "waiting"
        (tmp_path / "slow").unlink()
    assert notebook.value("top.result()") == sum(range(64))
    assert notebook.value("[leaf.result() for leaf in leaves]") == list(range(64))
    assert notebook.value("held == [top, *middles, *leaves] and all(one.done() for one in held)")
    ran = notebook.ran()
    assert {n for n in range(64) if ran[f"leaf{n}"] == 2} == {7, 21, 40}
    assert ran.total() == 64 + 3 + 8 + 1, "every other call ran once"
    assert notebook.value("[len(leaf.task.attempts) for leaf in (leaves[7], leaves[8])]") == [2, 1]
    story = nbflow("show", "last", str(notebook.value("leaves[21].task.id")))
    assert words in story
    assert "with other code" in story
    assert f"-    return {BROKEN}" in story
    assert f"+    return {MENDED}" in story


def test_the_retry_is_undone_in_a_notebook_and_the_old_errors_are_back(notebook: Notebook) -> None:
    notebook.run(LEAF.replace("{body}", BROKEN))
    notebook.run(GRAPH)
    notebook.run("ended = nf.wait([top, *middles, *leaves]); error = leaves[7].exception()")
    notebook.run(LEAF.replace("{body}", MENDED))
    notebook.run("nf.retry(failed=True); top.result()")
    assert "7 tasks are as they were" in nbflow("undo", "last")
    assert notebook.value("leaves[7].exception() is error and top.task.state == 'upstream_failed'")
    notebook.run("%nbflow retry --app leaf")
    assert notebook.value("top.result()") == sum(range(64))


def test_a_blocked_cell_goes_on_when_what_it_waits_for_is_held_and_then_retried(notebook: Notebook) -> None:
    holding = LEAF.replace("python_app", "python_app(on_failure='hold')")
    notebook.run(holding.replace("{body}", BROKEN))
    notebook.run(GRAPH)
    notebook.run("ended = nf.wait([leaves[n] for n in (7, 21, 40)])")
    eventually(lambda: "4 held" in nbflow("ps"))
    notebook.run(LEAF.replace("{body}", MENDED))
    blocked = notebook.start("value = top.result()")
    nbflow("retry", "last", "--error", "ZeroDivisionError", "--memory", "1MB")
    notebook.await_end(blocked)
    assert notebook.value("value") == sum(range(64))


def test_paused_processes_give_back_what_they_have_not_started(notebook: Notebook, tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    notebook.run(LEAF.replace("{body}", MENDED))
    notebook.run("warm = nf.gather(leaf.map(range(64, 100)))")
    notebook.run("blocking = leaf.map([63, 63])")
    eventually(lambda: notebook.ran()["leaf63"] == 2)
    notebook.run("rest = leaf.map(range(50))")
    nbflow("pause", "last")
    (tmp_path / "slow").unlink()
    assert notebook.value("nf.gather(blocking)") == [63, 63]
    eventually(lambda: notebook.value("len(nf.tasks(state='paused'))") == 50)
    assert not any(notebook.ran()[f"leaf{n}"] for n in range(50))
    notebook.run("%nbflow resume leaf")
    assert notebook.value("nf.gather(rest)") == list(range(50))
