import socket
import threading
from pathlib import Path

import pytest

from nbflow.control.client import Client, connect, connect_to
from nbflow.errors import ControlError, JournalError
from nbflow.journal.runs import RunInfo, RunStatus
from nbflow.journal.writer import Journal


def info(status: RunStatus, **more: object) -> RunInfo:
    return RunInfo(run="r", path="", status=status, started=0.0, host="far", info=more)


def test_a_run_that_cannot_be_steered_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    with pytest.raises(JournalError, match="no run"):
        connect("2026")
    with pytest.raises(ControlError, match="is on far: give this command there"):
        connect_to(info(RunStatus.ELSEWHERE))
    with pytest.raises(ControlError, match=r"does not live any more \(died\); no run is alive"):
        connect_to(info(RunStatus.DIED))
    alive = Journal.create("alive")
    with pytest.raises(ControlError, match="alive: alive"):
        connect_to(info(RunStatus.ENDED))
    with pytest.raises(ControlError, match="has no control socket"):
        connect("alive")
    alive.close("finished")
    with pytest.raises(ControlError, match="nobody answers"):
        connect_to(info(RunStatus.RUNNING, control=str(tmp_path / "gone.sock")))


def test_one_that_hangs_up_or_says_nothing_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with Client(tmp_path / "s", timeout=0.05) as client, pytest.raises(ControlError, match="no answer"):
            client.call("status")
        with Client(tmp_path / "s", timeout=20) as client:
            server.accept()[0].close()
            hangs_up = threading.Thread(target=lambda: server.accept()[0].close())
            hangs_up.start()
            with pytest.raises(ControlError, match="hung up"):
                client.call("status")
            hangs_up.join()
