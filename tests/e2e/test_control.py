"""The control socket and the command line on it, between real processes: notebooks, scripts, terminals.

The id B1 is the row about bodies that are fuzzed.
"""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

import nbflow as nf
from nbflow.flow.current import current
from nbflow.flow.steering.commands import COMMANDS
from nbflow.journal.runs import find_run

from .nemesis import eventually

SETUP = """
import time, nbflow as nf
from pathlib import Path
nf.load(workers=2)
@nf.python_app
def needs(path):
    return Path(path).read_text()
@nf.python_app
def hold(path):
    while not Path(path).exists():
        time.sleep(0.01)
    return "held"
broken = needs("{0}/input")
after = needs(broken)
holding = hold("{0}/release")
"""

SCRIPT = SETUP + "\nprint('loaded', flush=True)\nholding.result()\n"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def notebook(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingKernelClient]:
    monkeypatch.setenv("JPY_SESSION_NAME", "study.ipynb")
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=False)


@pytest.fixture
def script(state: Path) -> Iterator[subprocess.Popen[str]]:
    (state / "script.py").write_text(SCRIPT.format(state))
    words = [sys.executable, str(state / "script.py")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        yield process
        (state / "release").touch()
        process.wait(60)


def nbflow(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbflow", *words], capture_output=True, text=True, timeout=60, check=False
    )


def answer(*words: str) -> Any:
    return json.loads(nbflow(*words, "--json").stdout)


def send_cell(client: BlockingKernelClient, code: str, cell: str) -> str:
    """Execute a cell as a notebook does; return the request's id."""
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
    message = client.session.msg("execute_request", content, metadata={"cellId": cell})
    client.shell_channel.send(message)
    return str(message["header"]["msg_id"])


def reply_to(client: BlockingKernelClient, request: str) -> dict[str, Any]:
    while (reply := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != request:
        pass
    content: dict[str, Any] = reply["content"]
    return content


def states() -> dict[int, str]:
    return {task["task"]: task["state"] for task in answer("ps", "last")}


def test_a_notebook_is_steered_while_its_cell_blocks(notebook: BlockingKernelClient, state: Path) -> None:
    first = SETUP.format(state)
    assert reply_to(notebook, send_cell(notebook, first, "cell-one"))["status"] == "ok"
    blocked = send_cell(notebook, "holding.result()", "cell-two")
    eventually(lambda: states() == {1: "failed", 2: "upstream_failed", 3: "running"})
    told = answer("show", "last", "1")
    assert (told["notebook"], told["cell_id"], told["execution_count"]) == ("study.ipynb", "cell-one", 1)
    assert told["source_hash"] == hashlib.sha256(first.encode()).hexdigest()
    assert "In [1] of study.ipynb (cell cell-one)" in nbflow("show", "last", "1").stdout
    (state / "input").write_text(str(state / "input"))
    done = nbflow("retry", "last", "--error", "FileNotFoundError")
    assert (done.returncode, done.stdout) == (0, "2 tasks run again\n"), done.stderr
    eventually(lambda: states() == {1: "done", 2: "done", 3: "running"})
    assert answer("cancel", "last", "--app", "hold") == {"cancelled": 1}
    assert reply_to(notebook, blocked)["ename"] == "CancelledError"


def test_a_script_is_watched_to_its_end(script: subprocess.Popen[str], state: Path) -> None:
    words = [sys.executable, "-m", "nbflow", "watch"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("nbflow: running: ")
        eventually(lambda: states() == {1: "failed", 2: "upstream_failed", 3: "running"})
        (state / "release").touch()
        assert "1 of 3 tasks done, 1 failed, 1 upstream failed" in watch.stdout.read().splitlines()[-1]
        assert watch.wait(60) == 1


def test_who_stops_watching_leaves_the_run_alone(script: subprocess.Popen[str], state: Path) -> None:
    words = [sys.executable, "-m", "nbflow", "watch", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["status"] == "running"
        watch.send_signal(signal.SIGINT)
        assert watch.wait(60) == 130
    assert script.poll() is None
    eventually(lambda: states()[2] == "upstream_failed")
    assert answer("cancel", "last") == {"cancelled": 1}


def test_a_kernel_that_was_killed_is_told_and_its_socket_removed(
    script: subprocess.Popen[str], state: Path
) -> None:
    door = Path(find_run("last").info["control"])
    assert door.exists()
    script.kill()
    script.wait(60)
    (state / "release").touch()
    done = nbflow("cancel", "last")
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not live any more (died)" in done.stderr
    with nf.load("threads", workers=1):
        eventually(lambda: not door.exists())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["app", "tasks", "state", "limit", "since", "error", "blocks", "executor", "desk"])
ARGUMENTS = st.dictionaries(NAMES | st.text(), JSON | st.lists(st.integers()), max_size=4)
REQUESTS = st.fixed_dictionaries(
    {"command": st.sampled_from([name for name in COMMANDS if name != "subscribe"]) | st.text()},
    optional={"arguments": ARGUMENTS | JSON},
)
LINES = st.binary().map(lambda raw: raw.replace(b"\n", b"")) | (JSON | REQUESTS).map(
    lambda value: json.dumps(value).encode()
)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=25))
def _fuzz(lines: list[bytes]) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(60)
        raw.connect(find_run(current().run_id).info["control"])
        raw.sendall(b"".join(line + b"\n" for line in [*lines, b'{"command": "status"}']))
        raw.shutdown(socket.SHUT_WR)
        with raw.makefile("rb") as said:
            answers = [json.loads(line) for line in said]
    assert len(answers) == len(lines) + 1
    for one in answers:
        assert set(one) == {"ok", "result" if one["ok"] else "error"}
    assert answers[-1]["result"]["pid"] == os.getpid()


def test_B1_whatever_is_said_gets_an_answer_and_hurts_nothing() -> None:
    with nf.load("threads", workers=1):
        future = nf.python_app(abs)(-1)
        _fuzz()
        nf.resume()  # a lawful `pause` may have been among what was said
        assert future.result(60) == 1
        assert nf.python_app(abs)(-2).result(60) == 2
