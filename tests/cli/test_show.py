import json

import pytest

from nbflow.cli import main
from nbflow.journal.writer import Journal

from .conftest import RUN


def test_a_run_tells_its_failures(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show"]) == 1
    told = capsys.readouterr().out
    assert f"run       {RUN}: running" in told
    assert "1 x area: ValueError: negative" in told
    assert f"nbflow show {RUN} 2" in told


def test_a_failed_task_tells_its_tries_and_its_traceback(
    sample: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "last", "2"]) == 1
    told = capsys.readouterr().out
    assert "task      2: failed" in told
    assert "feeds     task 3" in told
    assert "try 1     ran on processes/1" in told
    assert "try 2     ran on processes/1" in told
    assert "raised after 0.500 s" in told
    assert 'File "flow.py", line 3, in area' in told


def test_a_done_task_tells_its_output(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "last", "1"]) == 0
    told = capsys.readouterr().out
    assert "from      flow.ipynb[3]" in told
    assert "stdout of try 1 (6 bytes)\nhello" in told


def test_neighbours_are_named(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "last", "3"]) == 1
    assert "needs     task 2" in capsys.readouterr().out
    assert main(["show", "last", "4"]) == 0
    assert "joins     task 5" in capsys.readouterr().out
    assert main(["show", "last", "5"]) == 0
    assert "part of   task 4" in capsys.readouterr().out


def test_both_as_json(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["run"] == RUN
    assert main(["show", "last", "2", "--json"]) == 1
    task = json.loads(capsys.readouterr().out)
    assert [attempt["end"] for attempt in task["attempts"]] == ["TryFailed", "TryFailed"]
    assert task["edges"] == [{"parent": 2, "child": 3, "kind": 0}]


def test_a_task_that_is_not_there_is_told(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "last", "99"]) == 2
    assert capsys.readouterr().err == f"nbflow: the run {RUN} has no task 99\n"
