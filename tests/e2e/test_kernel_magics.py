"""The magics in a real Jupyter kernel, asked as a notebook asks: Tab, `?`, a query that is interrupted."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

SETUP = """
%load_ext nbflow
import nbflow as nf
nf.load("threads", workers=1)
@nf.python_app
def invert(n):
    return 1 / n
nf.wait(invert.map([0, 1]))
"""
COUNT_FOREVER = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    manager, client = start_new_kernel(kernel_name="python3")
    assert client.execute_interactive(SETUP, timeout=30)["content"]["status"] == "ok"
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=False)


def complete(client: BlockingKernelClient, code: str) -> dict[str, Any]:
    reply = client.complete(code, reply=True, timeout=20)
    content: dict[str, Any] = reply["content"]
    return content


def test_a_line_is_completed_explained_asked_and_interrupted(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    manager, client = kernel
    found = complete(client, "x = 1\n%nbflow ret")
    assert (found["matches"], found["cursor_start"], found["cursor_end"]) == (["retry"], 14, 17)
    assert complete(client, "%nbflow retry --app ")["matches"] == ["invert"]
    assert complete(client, "%nbflow failures la")["matches"] == ["last"]
    assert complete(client, "%nbflow sites check pol")["matches"] == ["polaris"]
    help_ = client.inspect("%nbflow", reply=True, timeout=20)["content"]["data"]["text/plain"]
    assert "run all failed tasks again" in help_
    told = client.execute_interactive(
        "frame = %nbflow sql SELECT app, state FROM tasks ORDER BY task",
        user_expressions={"told": "frame.values.tolist()"},
        timeout=20,
    )["content"]["user_expressions"]["told"]["data"]["text/plain"]
    assert told == "[['invert', 'failed'], ['invert', 'done']]"
    message = client.execute(f"%nbflow sql {COUNT_FOREVER}")
    time.sleep(1)
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=10))["parent_header"]["msg_id"] != message:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
