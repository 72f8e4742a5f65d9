"""Interrupt a cell of a real Jupyter kernel: the waiting ends at once, the work and the workers go on."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

SETUP = """
import time, nbflow as nf
nf.load(workers=1)
@nf.python_app
def nap(seconds):
    time.sleep(seconds)
    return "rested"
future = nap(3)
"""


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=False)


def run(client: BlockingKernelClient, code: str) -> tuple[dict[str, Any], str]:
    printed: list[str] = []

    def note(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, output_hook=note, timeout=30)
    return reply["content"], "".join(printed)


def test_F19_interrupting_a_cell_stops_the_waiting_never_the_work(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    manager, client = kernel
    assert run(client, SETUP)[0]["status"] == "ok"
    message = client.execute("future.result()")
    time.sleep(1)
    began = time.monotonic()
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=10))["parent_header"]["msg_id"] != message:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - began < 2
    content, printed = run(client, "print(future.result(), nap(0).result(), len(future.task.attempts))")
    assert content["status"] == "ok"
    assert printed.strip().endswith("rested rested 1")
