"""L4: one server with 50 runs whose kernels do not answer, 200 questions, and a panel that takes nothing."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import websocket_connect

from nbflow.core.states import State
from nbflow.journal.rows import AppRow, EventRow, TaskRow
from nbflow.journal.writer import Journal
from nbflow.server import sockets

KERNELS = 50
QUESTIONS = 200
EVENTS = 60_000
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Authorization: {authorization}\r\n\r\n"
)


def write_run(name: str, control: Path, events: int = 0) -> Journal:
    """Write a run of this process, which lives; its control socket is at `control`."""
    journal = Journal.create(name, info={"control": str(control)})
    journal.apps.append(AppRow(1, "area", "python", "flow", None, None))
    journal.tasks.append(TaskRow(1, 1, 1.0, 1, "", "area(1)", State.QUEUED, None, None))
    journal.events += [
        EventRow(n, 1.0, 1, 1, "Dispatched", State.RUNNING, None) for n in range(2, events + 2)
    ]
    journal.commit()
    assert journal.flush()
    return journal


async def await_that(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_L4_neither_stuck_kernels_nor_a_slow_panel_hold_others_up(
    tmp_path: Path,
    jp_serverapp: Any,
    http_server_client: Any,  # it is what makes the server serve
    jp_http_port: int,
    jp_base_url: str,
    jp_auth_header: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SLOWEST_SECONDS", 0.5)
    control = tmp_path / "c.sock"
    stuck = socket.socket(socket.AF_UNIX)
    stuck.bind(str(control))
    stuck.listen(KERNELS)  # connects, and nobody ever answers
    names = [f"run-{number}" for number in range(KERNELS)]
    journals = [write_run(name, control, EVENTS if name == "run-0" else 0) for name in names]
    client = SimpleAsyncHTTPClient(force_instance=True, max_clients=KERNELS + QUESTIONS)
    at = f"127.0.0.1:{jp_http_port}{jp_base_url}nbflow/api"

    def ask(path: str) -> "asyncio.Future[HTTPResponse]":
        request = HTTPRequest(f"http://{at}/{path}", headers=jp_auth_header, request_timeout=60)
        return asyncio.ensure_future(client.fetch(request))

    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", jp_http_port))
    path = f"{jp_base_url}nbflow/api/runs/run-0/changes"
    shake = HANDSHAKE.format(path=path, port=jp_http_port, authorization=jp_auth_header["Authorization"])
    slow.sendall(shake.encode())
    sockets_open = jp_serverapp.web_app.settings["nbflow_hub"].metrics.sockets._value
    try:
        await await_that(lambda: sockets_open.get() == 1)
        asked = [ask(f"runs/{name}") for name in names]
        answers = await asyncio.gather(*(ask(f"runs/{names[n % KERNELS]}/tasks") for n in range(QUESTIONS)))
        assert all(json.loads(answer.body)["tasks"] for answer in answers)
        assert len(json.loads((await ask("runs")).body)["runs"]) == KERNELS
        panel = await websocket_connect(HTTPRequest(f"ws://{at}/changes", headers=jp_auth_header))
        assert len(json.loads(await panel.read_message() or "")["runs"]) == KERNELS
        panel.close()
        assert not all(one.done() for one in asked), "the kernels have to be stuck all the while"
        await await_that(lambda: sockets_open.get() == 0)  # the slow one was hung up on
        stuck.close()  # as if they were killed
        for answer in await asyncio.gather(*asked):
            assert json.loads(answer.body)["live"] is None
    finally:
        slow.close()
        stuck.close()
        client.close()
        for journal in journals:
            journal.close("closed")
