"""The control socket as others meet it: real sockets, a real dataflow kernel on threads."""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import nbflow as nf
from nbflow.control.client import Client, connect
from nbflow.errors import ControlError, JournalError
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.steering.control import Control
from nbflow.journal.runs import find_run


@nf.python_app
def invert(n: int) -> float:
    return 1 / n


@pytest.fixture
def path(kernel: DataFlowKernel) -> Path:
    return Path(find_run(kernel.run_id).info["control"])


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    with Client(path, timeout=20) as client:
        yield client


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def said(path: Path, *lines: bytes) -> list[dict[str, object]]:
    """Send raw lines and return what is answered until the other side hangs up."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(20)
        raw.connect(str(path))
        raw.sendall(b"".join(lines))
        raw.shutdown(socket.SHUT_WR)
        with raw.makefile("rb") as answers:
            return [json.loads(line) for line in answers]


def test_the_socket_is_private(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_found_by_the_name_that_ps_shows(kernel: DataFlowKernel) -> None:
    for name in (kernel.run_id, kernel.run_id[:-1], "last"):
        with connect(name) as client:
            assert client.call("status")["run"] == kernel.run_id


def test_status_counts_and_says_who_answers(client: Client, kernel: DataFlowKernel) -> None:
    invert(1).result(20)
    invert(0).exception(20)
    status = client.call("status")
    assert status["tasks"] == {"done": 1, "failed": 1}
    assert client.call("status", count=False)["tasks"] is None
    assert (status["pid"], status["trouble"], status["unfinished"]) == (os.getpid(), None, 0)


def test_tasks_are_chosen_and_bounded(client: Client) -> None:
    nf.wait([invert(0), invert(1), invert(2)])
    (failed,) = client.call("tasks", state="failed")
    assert (failed["app"], failed["error"]) == ("invert", "ZeroDivisionError")
    assert [task["task"] for task in client.call("tasks", limit=2)] == [3, 2]
    with pytest.raises(ControlError, match="from 1 to 1000"):
        client.call("tasks", limit=0)


def test_cancel_ends_what_waits(client: Client) -> None:
    gate = threading.Event()
    hold = nf.python_app(lambda: gate.wait(20))
    running = [hold(), hold()]
    waiting = [invert(1), invert(2), invert(3)]
    assert client.call("cancel", tasks=[waiting[0].task.id]) == {"cancelled": 1}
    assert client.call("cancel", app="invert") == {"cancelled": 2}
    assert all(future.cancelled() for future in waiting)
    gate.set()
    assert [future.result(20) for future in running] == [True, True]
    assert client.call("cancel") == {"cancelled": 0}


def test_retry_chooses_by_task_app_and_error(client: Client, tmp_path: Path) -> None:
    mended = tmp_path / "mended"

    @nf.python_app
    def needs(path: str, kind: str) -> int:
        if not Path(path).exists():
            raise {"key": KeyError, "value": ValueError}[kind](path)
        return 7

    first, second = needs(str(mended), "key"), needs(str(mended), "value")
    after = invert(first)
    nf.wait([first, second, after])
    mended.touch()
    assert client.call("retry", error="OSError") == {"reopened": 0}
    assert client.call("retry", error="LookupError") == {"reopened": 2}  # a KeyError is one; and what waits
    assert after.result(20) == pytest.approx(1 / 7)
    assert client.call("retry", app="needs", tasks=[second.task.id]) == {"reopened": 1}
    assert second.result(20) == 7


def test_a_retry_with_options_is_undone_and_says_by_whom(client: Client) -> None:
    future = invert(0)
    nf.wait([future])
    assert client.call("retry", options={"retries": 1}, by="a test") == {"reopened": 1}
    nf.wait([future])
    assert len(future.task.attempts) == 3
    assert "asked for by a test (failed=True, retries=1)" in future.task.why()
    assert client.call("undo") == {"undone": 1}
    assert client.call("undo") == {"undone": 0}
    with pytest.raises(ControlError, match="did you mean 'memory'"):
        client.call("retry", options={"memroy": "1GB"})
    with pytest.raises(ControlError, match="options has to be dict"):
        client.call("retry", options=["memory"])


def test_pausing_keeps_back_and_status_tells(client: Client) -> None:
    assert client.call("pause") == {"paused": 0}
    future = invert(1)
    client.call("pause", app="invert")
    assert client.call("status")["paused"] == {"everything": True, "apps": ["invert"], "tasks": []}
    assert client.call("resume", tasks=[future.task.id]) == {"resumed": 1}
    assert future.result(20) == 1
    assert client.call("resume") == {"resumed": 0}


def test_what_is_held_is_released(client: Client) -> None:
    bad = invert.options(on_failure="hold")(0)
    after = invert(bad)
    nf.wait([bad])
    assert client.call("status")["tasks"] == {"failed": 1, "held": 1}
    with pytest.raises(ControlError, match="no app is called 'nobody'"):
        client.call("release", app="nobody")
    assert client.call("release", tasks=[bad.task.id]) == {"released": 1}
    assert after.done()


def test_a_task_that_never_was_is_told(client: Client) -> None:
    with pytest.raises(ControlError, match="no task 99"):
        client.call("cancel", tasks=[99])


def test_what_has_a_fixed_number_of_workers_does_not_scale(client: Client) -> None:
    with pytest.raises(ControlError, match="fixed number of workers"):
        client.call("scale", blocks=3)


def test_tail_goes_on_where_it_was(client: Client) -> None:
    invert(1).result(20)
    first = client.call("tail", since=0, limit=1)
    assert [event["event"] for event in first["events"]] == ["Submitted"]
    rest = client.call("tail", since=first["seq"])["events"]
    assert rest[-1]["state"] == "done"
    assert client.call("tail", limit=1)["events"] == rest[-1:]


def test_news_come_until_the_kernel_closes(client: Client) -> None:
    news = client.subscribe(since=0)
    assert next(news) == {"tasks": {}, "seq": 0, "events": []}
    invert(0).exception(20)
    events = []
    while not events or events[-1]["state"] != "failed":
        events += next(news)["events"]
    assert "traceback" not in events[-1]["detail"]
    assert events[-1]["detail"]["error"] == "ZeroDivisionError"
    nf.clear()
    assert list(news) == []


def test_the_socket_goes_with_the_kernel(path: Path) -> None:
    nf.clear()
    assert not path.exists()
    assert not [one for one in threading.enumerate() if one.name == "nbflow-control"]
    with pytest.raises(ControlError, match="does not live"):
        connect()


def test_a_socket_that_was_removed_comes_back(kernel: DataFlowKernel, tmp_path: Path) -> None:
    control = Control(kernel, tmp_path / "c.sock", look=0.01)
    try:
        (tmp_path / "c.sock").unlink()
        eventually((tmp_path / "c.sock").exists)
        with Client(tmp_path / "c.sock") as client:
            assert client.call("status")["run"] == kernel.run_id
    finally:
        control.close()


def test_the_sockets_of_the_dead_are_removed(kernel: DataFlowKernel, tmp_path: Path) -> None:
    dead, alive = tmp_path / "dead.sock", socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as gone, alive:
        gone.bind(str(dead))
        gone.listen()
        alive.bind(str(tmp_path / "alive.sock"))
        alive.listen()
        gone.close()
        control = Control(kernel, tmp_path / "c.sock")
        try:
            eventually(lambda: not dead.exists())
            assert (tmp_path / "alive.sock").exists()
        finally:
            control.close()


def test_who_does_not_listen_is_dropped(kernel: DataFlowKernel, tmp_path: Path) -> None:
    control = Control(kernel, tmp_path / "c.sock", slow=0.1)
    nf.wait([invert(n) for n in range(1, 1001)])
    try:
        with socket.socket(socket.AF_UNIX) as deaf, Client(tmp_path / "c.sock") as client:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(str(tmp_path / "c.sock"))
            deaf.sendall(b'{"command": "tasks", "arguments": {"limit": 1000}}\n' * 3)
            assert client.call("status")["tasks"] == {"done": 1000}  # who came first has been let in by now
            eventually(lambda: len(control._visitors) == 1)
            assert client.call("status")["tasks"] == {"done": 1000}
            with deaf.makefile("rb") as taken, suppress(ConnectionResetError):
                assert len(taken.readlines()) < 3
    finally:
        control.close()


def test_a_crowd_cannot_shut_others_out(path: Path) -> None:
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(80)]
    try:
        for one in crowd:
            one.connect(str(path))
        with Client(path) as client:
            assert client.call("status")
    finally:
        for one in crowd:
            one.close()


def test_a_forked_child_lets_go_of_the_socket(kernel: DataFlowKernel, tmp_path: Path) -> None:
    control = Control(kernel, tmp_path / "c.sock")
    try:
        child = os.fork()
        if child == 0:
            os._exit(0 if control._server.fileno() == -1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with Client(tmp_path / "c.sock") as client:
            assert client.call("status")
    finally:
        control.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_is_hung_up_on(kernel: DataFlowKernel, tmp_path: Path) -> None:
    control = Control(kernel, tmp_path / "c.sock")
    try:
        tmp_path.chmod(0o755)  # as if both modes had been opened: who it is counts all the same
        (tmp_path / "c.sock").chmod(0o666)
        child = os.fork()
        if child == 0:
            os._exit(_answers_to_nobody(tmp_path))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        control.close()


def _answers_to_nobody(folder: Path) -> int:
    """Ask as the user nobody; return how many bytes are answered, 255 when it cannot even connect."""
    os.chdir(folder)
    os.setuid(65534)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(20)
        try:
            caller.connect("c.sock")
        except OSError:
            return 255
        try:
            caller.sendall(b'{"command": "status"}\n')
            return len(caller.recv(100))
        except (BrokenPipeError, ConnectionResetError):
            return 0


BAD = {
    "no JSON": b"hello\n",
    "no object": b"[1, 2]\n",
    "no text": b"\xff\xfe\n",
    "nothing": b"\n",
    "deep": b"[" * 60_000 + b"\n",
    "a number too long": b'{"command": ' + b"9" * 6000 + b"}\n",
    "no command": b'{"command": "burn"}\n',
    "a method of ours": b'{"command": "__class__"}\n',
    "a strange key": b'{"command": "status", "id": 3}\n',
    "a wrong name": b'{"command": "cancel", "arguments": {"application": "x"}}\n',
    "a wrong type": b'{"command": "cancel", "arguments": {"tasks": "all"}}\n',
    "a wrong list": b'{"command": "cancel", "arguments": {"tasks": [1, true]}}\n',
    "a missing one": b'{"command": "scale"}\n',
    "no state": b'{"command": "tasks", "arguments": {"state": "happy"}}\n',
    "a surrogate": b'{"command": "tasks", "arguments": {"app": "\\ud800"}}\n',
    "a number too large": b'{"command": "tail", "arguments": {"since": 99999999999999999999}}\n',
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_an_error_and_the_next_line_an_answer(path: Path, what: str) -> None:
    bad, good = said(path, BAD[what], b'{"command": "status"}\n')
    assert bad["ok"] is False
    assert bad["error"]["message"]  # type: ignore[index]
    assert good["ok"] is True


def test_a_line_without_end_is_refused(path: Path) -> None:
    with Client(path) as client:
        client._send(b"x" * 70_000)
        answer = client._next()
    assert answer is not None
    assert "at most" in answer["error"]["message"]


def test_a_run_without_a_journal_on_disk_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    (tmp_path / "runs").touch()  # so no directory for a run can be made
    with nf.load("threads", workers=1) as loaded:
        assert invert(1).result(20) == 1
        with connect(loaded.run_id[:-1]) as client:
            status = client.call("status")
            assert status["tasks"] == {"done": 1}
            assert "in memory only" in status["trouble"]
            assert [event["event"] for event in client.call("tail")["events"]][-1] == "Returned"
        with pytest.raises(JournalError):
            connect("../" + loaded.run_id)
