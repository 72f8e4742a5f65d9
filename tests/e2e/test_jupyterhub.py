"""Behind a JupyterHub: the extension answers a user at the hub's addresses, and nobody else."""

import asyncio
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect

from .services import ROOT, STATE, Service

START_SECONDS = 90
SENT = {"POST": b"{}", "PUT": b"{}"}


class Hub:
    """A JupyterHub, as its administrator."""

    def __init__(self, service: Service) -> None:
        self.url = service.env["NBFLOW_HUB_URL"]
        self._token = service.env["NBFLOW_HUB_TOKEN"]

    def add_user(self, name: str) -> str:
        """Add a user and return a token that is good for what is the user's."""
        self._administer("POST", f"users/{name}")
        return str(json.loads(self._administer("POST", f"users/{name}/tokens").body)["token"])

    def remove_user(self, name: str) -> None:
        """End a user's server and forget the user."""
        self._administer("DELETE", f"users/{name}/server")
        await_that(lambda: self._server(name) is None)
        self._administer("DELETE", f"users/{name}")

    def start_server(self, name: str) -> None:
        """Start a user's server with the extension and wait until it answers."""
        enabled = STATE / "jupyterhub" / "home" / name / ".jupyter" / "jupyter_server_config.d"
        enabled.mkdir(parents=True)
        shutil.copy(ROOT / "nbflow" / "server" / "nbflow.json", enabled)  # as installing nbflow does
        self._administer("POST", f"users/{name}/server")
        await_that(lambda: (self._server(name) or {}).get("ready") is True)

    def _server(self, name: str) -> dict[str, Any] | None:
        servers: dict[str, dict[str, Any]] = json.loads(self._administer("GET", f"users/{name}").body)[
            "servers"
        ]
        return servers.get("")

    def _administer(self, method: str, path: str) -> HTTPResponse:
        answer = ask(f"{self.url}/hub/api/{path}", self._token, method)
        assert answer.code < 300, (method, path, answer.code, answer.body)
        return answer


def ask(url: str, token: str | None, method: str = "GET") -> HTTPResponse:
    """Ask, with a token or as nobody, and return the answer whatever it is."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"token {token}"} if token else {})

    async def fetch() -> HTTPResponse:
        request = HTTPRequest(url, method, headers, SENT.get(method), follow_redirects=False)
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    return asyncio.run(fetch())


def await_that(is_so: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def hub(jupyterhub: Service) -> Hub:
    return Hub(jupyterhub)


@pytest.fixture(scope="module")
def owner(hub: Hub) -> Iterator[tuple[str, str]]:
    """Return the address of the extension on a user's server, and the user's token."""
    name = f"owner-{secrets.token_hex(4)}"
    token = hub.add_user(name)
    try:
        hub.start_server(name)
        yield f"{hub.url}/user/{name}/nbflow/api", token
    finally:
        hub.remove_user(name)
        shutil.rmtree(STATE / "jupyterhub" / "home" / name)


def test_the_owner_is_answered_below_the_address_of_the_hub(owner: tuple[str, str]) -> None:
    url, token = owner
    about = json.loads(ask(f"{url}/", token).body)
    assert about["user"] == url.split("/")[4]
    assert json.loads(ask(f"{url}/runs", token).body) == {"runs": []}
    assert ask(f"{url}/runs/none/commands/cancel", token, "POST").code == 404

    async def first_message() -> Any:
        address = HTTPRequest(
            f"{url}/changes".replace("http", "ws", 1), headers={"Authorization": f"token {token}"}
        )
        socket = await websocket_connect(address)
        try:
            return json.loads(await socket.read_message() or "null")
        finally:
            socket.close()

    assert asyncio.run(first_message()) == {"runs": [], "gone": []}


def test_nobody_else_is_answered(hub: Hub, owner: tuple[str, str]) -> None:
    url, _ = owner
    other = f"other-{secrets.token_hex(4)}"
    token = hub.add_user(other)
    try:
        for stranger in (None, "wrong", token):
            for path, method in (("/", "GET"), ("/runs", "GET"), ("/runs/none/commands/cancel", "POST")):
                answer = ask(url + path, stranger, method)
                assert answer.code in (302, 401, 403), (path, method, answer.code)
                assert b"state_dir" not in answer.body

        async def listen() -> None:
            await websocket_connect(
                HTTPRequest(
                    f"{url}/changes".replace("http", "ws", 1), headers={"Authorization": f"token {token}"}
                )
            )

        with pytest.raises(HTTPClientError) as refused:
            asyncio.run(listen())
        assert refused.value.code in (302, 401, 403)
    finally:
        hub.remove_user(other)
