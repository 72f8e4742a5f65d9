"""`nbflow cancel` and `nbflow retry`, on a run that lives in this process."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbflow as nf
from nbflow.cli import main
from nbflow.flow.current import current
from nbflow.journal.writer import Journal

from .conftest import RUN


@nf.python_app
def touch(path: str) -> int:
    return len(Path(path).read_text())


@pytest.fixture
def run(state: Path) -> Iterator[str]:
    nf.load("threads", workers=1)
    yield current().run_id
    nf.clear()


def test_what_failed_runs_again(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    future = touch(str(tmp_path / "later"))
    future.exception(20)
    assert main(["retry", run, "--error", "ValueError"]) == 0
    assert capsys.readouterr().out == "0 tasks run again\n"
    (tmp_path / "later").write_text("abc")
    assert main(["retry", run[:-2], "--failed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"reopened": 1}
    assert future.result(20) == 3


def test_what_waits_is_cancelled(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    gate = threading.Event()
    holding = nf.python_app(lambda: gate.wait(20))()
    futures = [touch(str(n)) for n in range(4)]
    assert main(["cancel", "last", "--task", "2", "3"]) == 0
    assert main(["cancel", "last", "--app", "touch", "--json"]) == 0
    gate.set()
    out = capsys.readouterr().out
    assert out.startswith("cancelled 2 tasks\n")
    assert json.loads(out.partition("\n")[2]) == {"cancelled": 2}
    assert all(future.cancelled() for future in futures)
    assert holding.result(20)


def test_a_retry_is_told_and_undone(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    future = touch(str(tmp_path / "later"))
    future.exception(20)
    (tmp_path / "later").write_text("abc")
    assert main(["retry", run, "--app", "touch", "--walltime", "60", "--retries", "2", "--no-cache"]) == 0
    assert future.result(20) == 3
    assert main(["undo", run]) == 0
    assert isinstance(future.exception(20), FileNotFoundError)
    assert main(["undo", run]) == 0
    assert capsys.readouterr().out == (
        "1 task runs again\n1 task is as it was before the last retry\n"
        "0 tasks are as they were before the last retry\n"
    )
    assert main(["show", run, "1"]) == 1
    shown = capsys.readouterr().out
    assert "(app=touch, walltime=60.0, retries=2, cache=False)" in shown
    assert "the retry was undone by nbflow undo" in shown
    assert main(["show", run, "1", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["repairs"]
    assert [repair["is_undo"] for repair in told] == [False, True]
    assert told[0]["code_before"] == told[0]["code_after"]


def test_what_failed_is_given_a_value(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    future = touch("nothing")
    after = nf.python_app(lambda n: n + 1)(future)
    after.exception(20)
    assert main(["skip", run, "--value", "0"]) == 2
    assert main(["skip", run, "--app", "touch", "--value", "nothing"]) == 2
    told = capsys.readouterr().err
    assert "skip what?" in told
    assert "value = nothing: give a Python literal" in told
    assert main(["skip", run, "--error", "OSError", "--value", "41", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"reopened": 2}
    assert after.result(20) == 42
    assert main(["show", run, "1"]) == 0
    assert "by nbflow skip" in capsys.readouterr().out


def test_work_is_paused_and_resumed(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pause", run, "--app", "touch"]) == 0
    future = touch("nothing")
    assert main(["resume", run, "--json"]) == 0
    future.exception(20)
    assert capsys.readouterr().out == 'paused; 0 tasks wait that could start\n{\n  "resumed": 1\n}\n'


def test_what_is_held_is_released(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    after = touch(touch.options(on_failure="hold")("nothing"))
    while after.task.state != "held":
        pass
    assert main(["release", run]) == 0
    assert after.done()
    assert capsys.readouterr().out == "1 task is held no longer\n"


@pytest.mark.parametrize("command", ["cancel", "retry", "undo", "release", "pause", "resume"])
def test_a_run_that_is_not_there_or_takes_nothing_is_told(
    state: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "last"]) == 2
    Journal.create(RUN).close("finished")
    assert main([command, "last"]) == 2
    assert main([command]) == 2
    said = capsys.readouterr().err
    assert "there is no run" in said
    assert f"the run {RUN} does not live any more" in said


def test_a_task_that_is_none_is_told(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cancel", run, "--task", "7"]) == 2
    assert f"the run {run} has no task 7" in capsys.readouterr().err


def test_a_journal_that_lags_is_told(
    run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    touch("nothing").exception(20)
    assert main(["ps", run]) == 1
    assert "1 failed" in capsys.readouterr().out
    monkeypatch.setattr(current().journal, "trouble", "no space left")
    assert main(["ps", run]) == 1
    assert capsys.readouterr().err == "nbflow: the run has 0 unfinished tasks; no space left\n"
