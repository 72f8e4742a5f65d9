"""What every session promises, as one test class: each driver's tests subclass it."""

import contextlib
import os
import select
import signal
import socket
import stat
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from nbflow.errors import SiteError, SiteFileMissing
from nbflow.sites.session import Session

PATIENCE = 20.0
ODD_WORDS = [
    "",
    "a b",
    "$HOME",
    "`id`",
    "$(id)",
    "; id",
    "it's",
    '"',
    "\\",
    "*",
    "new\nline",
    "-n",
    "~",
    "é\u202e🎈",
]


class SessionContract(ABC):
    """Each driver makes a session on an account that sees `tmp_path` as this process does."""

    @abstractmethod
    def make(self) -> Session: ...

    @pytest.fixture
    def session(self) -> Iterator[Session]:
        session = self.make()
        yield session
        session.close()

    def test_a_command_ends_with_what_it_wrote(self, session: Session) -> None:
        done = session.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")

    def test_words_arrive_as_they_are(self, session: Session) -> None:
        done = session.run(["printf", "%s\\0", *ODD_WORDS])
        assert done.stdout.split("\0")[:-1] == ODD_WORDS

    def test_a_command_reads_its_input_and_then_its_end(self, session: Session) -> None:
        assert session.run(["wc", "-c"], input=b"x" * 300_000).stdout.strip() == "300000"
        assert session.run(["cat"]).stdout == ""

    def test_much_output_arrives_whole(self, session: Session) -> None:
        assert len(session.run(["head", "-c", "3000000", "/dev/zero"]).stdout) == 3_000_000

    def test_output_that_is_no_text_does_no_harm(self, session: Session) -> None:
        assert session.run(["printf", "a\\377b"]).stdout == "a\ufffdb"

    def test_a_command_that_is_not_there_ends_with_127(self, session: Session) -> None:
        done = session.run(["nbflow-no-such-command"])
        assert done.exit_code == 127
        assert "nbflow-no-such-command" in done.stderr

    def test_a_signal_is_a_negative_exit_code(self, session: Session) -> None:
        assert session.run(["sh", "-c", "kill -9 $$"]).exit_code == -signal.SIGKILL

    @pytest.mark.parametrize("argv", [[], "ls", ["a\0b"], [1]], ids=repr)
    def test_what_is_no_command_is_refused(self, session: Session, argv: list[str]) -> None:
        with pytest.raises(SiteError, match="cannot run"):
            session.run(argv)

    def test_a_command_that_takes_too_long_is_killed(self, session: Session, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        with pytest.raises(SiteError, match="did not end within"):
            session.run(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 1000"], timeout_seconds=0.5)
        self.until(lambda: not is_running(int(pid_file.read_text())))
        assert session.run(["true"]).exit_code == 0

    def test_a_file_is_written_and_read(self, session: Session, tmp_path: Path) -> None:
        path = tmp_path / "new" / "deep" / "it's a $file"
        content = bytes(range(256)) * 5000
        session.put(content, str(path))
        assert session.get(str(path)) == path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_a_file_is_replaced_with_its_mode(self, session: Session, tmp_path: Path) -> None:
        path = tmp_path / "script"
        path.write_text("a longer text before")
        session.put(b"#!/bin/sh\n", str(path), mode=0o700)
        assert path.read_bytes() == b"#!/bin/sh\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o700

    def test_a_file_that_cannot_be_written_leaves_nothing(self, session: Session, tmp_path: Path) -> None:
        (tmp_path / "taken").mkdir()
        with pytest.raises(SiteError, match="taken"):
            session.put(b"", str(tmp_path / "taken"))
        assert [each.name for each in tmp_path.iterdir()] == ["taken"]

    def test_a_missing_file_is_named(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(SiteFileMissing, match="no-such"):
            session.get(str(tmp_path / "no-such"))

    def test_home_is_a_start_of_paths(self, session: Session) -> None:
        home = session.run(["sh", "-c", "echo ~"]).stdout.strip()
        assert session.resolve("~/a b") == session.resolve("${HOME}/a b") == f"{home}/a b"
        with pytest.raises(SiteFileMissing):
            session.get("~/.nbflow-no-such-file")

    def test_a_variable_that_is_not_set_is_named(self, session: Session) -> None:
        with pytest.raises(SiteError, match="NBFLOW_NO_SUCH"):
            session.resolve("$NBFLOW_NO_SUCH/work")

    @pytest.mark.parametrize("path", ["work", "", "../x", "./~/x"])
    def test_relative_paths_are_refused(self, session: Session, path: str) -> None:
        with pytest.raises(SiteError, match="absolute"):
            session.put(b"", path)

    def test_a_port_of_the_other_side_is_reached(self, session: Session) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            far = server.getsockname()[1]
            echo = threading.Thread(target=serve_upper_case, args=(server,))
            echo.start()
            forward = session.forward("127.0.0.1", far)
            with socket.create_connection((forward.host, forward.port), PATIENCE) as near:
                near.sendall(b"hello" * 50_000)
                near.shutdown(socket.SHUT_WR)
                assert receive_all(near) == b"HELLO" * 50_000
            echo.join(PATIENCE)
            forward.close()
            forward.close()

    def test_F7_the_other_side_hears_of_a_connection_that_breaks(self, session: Session) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            forward = session.forward("127.0.0.1", server.getsockname()[1])
            with socket.create_connection((forward.host, forward.port), PATIENCE) as near:
                far, _ = server.accept()
                far.settimeout(PATIENCE)
                far.sendall(b"never read")  # what is not read makes a reset of the close
                near.sendall(b"x")
                assert far.recv(1) == b"x"
                select.select([near], [], [], PATIENCE)
            with far, contextlib.suppress(ConnectionError):
                assert far.recv(1) == b""
            forward.close()

    def test_a_port_where_nobody_listens_gives_nothing(self, session: Session) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            unused = server.getsockname()[1]
        forward = session.forward("127.0.0.1", unused)
        with pytest.raises(ConnectionError):
            receive_something(forward.host, forward.port)

    def test_a_channel_carries_both_ways(self, session: Session) -> None:
        channel = session.start(["cat"])
        sent = os.urandom(100_000)
        channel.send(sent)
        received = b""
        while len(received) < len(sent):
            received += channel.receive()
        assert received == sent
        channel.close()
        channel.close()

    def test_a_channel_says_when_its_process_has_ended(self, session: Session) -> None:
        channel = session.start(["echo", "bye"])
        assert channel.receive() == b"bye\n"
        assert channel.receive() == b""
        channel.close()

    def test_closing_a_channel_ends_its_process(self, session: Session) -> None:
        channel = session.start(["sh", "-c", "echo $$; exec sleep 1000"])
        pid = int(channel.receive())
        channel.close()
        self.until(lambda: not is_running(pid))

    def test_closing_a_session_ends_its_channels(self, session: Session) -> None:
        channel = session.start(["sh", "-c", "echo $$; exec sleep 1000"])
        pid = int(channel.receive())
        session.close()
        self.until(lambda: not is_running(pid))
        assert channel.receive() == b""

    def test_threads_share_a_session(self, session: Session) -> None:
        with ThreadPoolExecutor(8) as pool:
            done = pool.map(lambda number: session.run(["echo", str(number)]).stdout, range(24))
            assert list(done) == [f"{number}\n" for number in range(24)]

    def test_closing_twice_is_fine_and_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        session = self.make()
        session.run(["true"])
        session.close()
        session.close()
        assert set(threading.enumerate()) == before

    def until(self, is_so: object) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():  # type: ignore[operator]
            assert time.monotonic() < deadline, "it did not come to be"
            time.sleep(0.02)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def serve_upper_case(server: socket.socket) -> None:
    server.settimeout(PATIENCE)
    connection, _ = server.accept()
    with connection:
        connection.sendall(receive_all(connection).upper())


def receive_something(host: str, port: int) -> bytes:
    with socket.create_connection((host, port), PATIENCE) as connection:
        if received := connection.recv(1):
            return received
    raise ConnectionResetError


def receive_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
