"""Logging in to hosts that misbehave; `tests/e2e/test_ssh_session.py` has those that do not."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nbflow.errors import SiteError
from nbflow.sites import link, login
from nbflow.sites.link import Link
from nbflow.sites.loop import LoopThread
from nbflow.sites.model import Login
from nbflow.sites.ssh import SshSession


@contextmanager
def host(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Have a host whose side of a connection is `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(20)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text("")
    return str(path)


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.recv(1)


def flood(connection: socket.socket) -> None:
    deadline = time.monotonic() + 10
    try:
        while time.monotonic() < deadline:
            connection.sendall(b"Welcome to a long message of the day\r\n" * 100)
    except OSError:
        return
    pytest.fail("nobody stopped listening")


def test_F16_a_silent_host_is_given_up(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "ANSWER_SECONDS", 0.2)
    with host(say_nothing) as port, pytest.raises(SiteError, match=r"127\.0\.0\.1 gave no answer"):
        SshSession(Login(host="127.0.0.1", port=port, ssh_config=config))


def test_F16_a_host_that_floods_is_given_up(config: str) -> None:
    with host(flood) as port, pytest.raises(SiteError, match=r"127\.0\.0\.1 cannot be reached"):
        SshSession(Login(host="127.0.0.1", port=port, ssh_config=config))


def test_F16_a_host_that_is_down_is_not_hammered(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused = server.getsockname()[1]
    thread = LoopThread("test")
    down = Link(Login(host="127.0.0.1", port=unused, ssh_config=config))
    try:
        with pytest.raises(SiteError, match="cannot be reached"):
            thread.call(down.connection())
        with pytest.raises(SiteError, match="the next try is in 1 s"):
            thread.call(down.connection())
        monkeypatch.setattr(down, "_not_before", 0.0)
        with pytest.raises(SiteError, match="cannot be reached"):
            thread.call(down.connection())
        assert down._pause_seconds == 4 * link.FIRST_PAUSE_SECONDS
    finally:
        thread.close()


def test_A12_a_prompt_is_shown_inert() -> None:
    assert login._inert("\x1b[2JPassword:\r\nother\u202e: " + "x" * 500).isprintable()
    assert login._inert("Verification code: ") == "Verification code: "


def test_a_configuration_that_names_what_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("Host x\n    NoSuchOption\n    Port what\n")
    with pytest.raises(SiteError, match="correct the SSH configuration"):
        SshSession(Login(host="x", ssh_config=str(path)))
