"""The debugger of a real Jupyter kernel at the failure of a task: in its own kernel, and in the next one."""

import queue
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

CELL = """
%load_ext nbflow
import nbflow as nf
nf.load(workers=1)

@nf.python_app
def share(total, people):
    each = [total]
    return divide(total, people)

def divide(value, by):
    return value / by

failed = share(12, 0)
nf.wait([failed])
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs and settings of the kernels apart, and colours out of what they write."""
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def kernels(state: None, tmp_path: Path) -> Iterator[list[BlockingKernelClient]]:
    """Start two kernels, as a person has one after the other."""
    managers, clients = [], []
    try:
        for _ in range(2):
            manager, client = start_new_kernel(cwd=str(tmp_path))
            managers.append(manager)
            clients.append(client)
        yield clients
    finally:
        for client in clients:
            client.stop_channels()
        for manager in managers:
            manager.shutdown_kernel(now=True)


def said(client: BlockingKernelClient, code: str, answers: Sequence[str] = (), seconds: float = 60) -> str:
    """Run a cell, answer what it asks, and return all that it writes."""
    parts: list[str] = []
    left = iter(answers)
    asked = client.execute(code, allow_stdin=True)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            client.get_stdin_msg(timeout=0.05)
            client.input(next(left))
        except queue.Empty:
            pass
        try:
            message = client.get_iopub_msg(timeout=0.05)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") != asked:
            continue
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                parts.append(content["text"])
            case "execute_result" | "display_data":
                parts.append(content["data"]["text/plain"])
            case "error":
                parts.append("\n".join(content["traceback"]))
            case "status" if content["execution_state"] == "idle":
                return "".join(parts)
    raise AssertionError(f"the kernel did not answer: {''.join(parts)}")


def test_a_debugger_opens_at_a_failed_task_also_when_its_kernel_is_gone(
    kernels: list[BlockingKernelClient],
) -> None:
    first, second = kernels
    said(first, CELL)
    commands = ["p value + 1", "up", "p each", "q"]
    told = said(first, "%nbflow debug 1", commands)
    assert "13" in told
    assert "[12]" in told
    assert "value / by" in told
    assert "1 x user error" in said(first, "%nbflow failures")
    said(first, "nf.clear()")
    told = said(second, "%load_ext nbflow\n%nbflow debug last 1", commands)
    assert "13" in told
    assert "[12]" in told
    assert "3.0" in said(second, "import nbflow as nf\nnf.capsule('last', 1).replay(people=4)")
