import json
import sqlite3
from pathlib import Path

import pytest

from nbflow.cli import main
from nbflow.journal.writer import Journal

from .conftest import RUN


def test_without_runs_it_says_how_to_make_one(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps"]) == 0
    assert "`nbflow demo` makes one" in capsys.readouterr().out


def test_runs_are_listed_with_how_they_stand(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["run", "started", "took", "status"]
    assert RUN in line
    assert "running" in line
    assert "1 joining, 1 done, 1 failed, 1 upstream failed" in line


def test_a_broken_journal_is_listed_with_its_problem(
    state: Path, sample: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "runs" / "broken").mkdir()
    (state / "runs" / "broken" / "journal.sqlite").write_text("no")
    assert main(["ps"]) == 0
    assert "unreadable" in capsys.readouterr().out


def test_a_journal_that_is_damaged_inside_hides_no_other_run(
    state: Path, sample: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = Journal.create("damaged")
    damaged.close("closed")
    connection = sqlite3.connect(damaged.address)
    connection.executescript("DROP VIEW IF EXISTS stream; DROP VIEW IF EXISTS task_states; DROP TABLE events")
    connection.close()
    assert main(["ps"]) == 0
    assert RUN in capsys.readouterr().out


def test_a_long_list_is_cut(state: Path, sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    Journal.create("z").close("closed")
    assert main(["ps", "--limit", "1"]) == 0
    assert "... and 1 older ones" in capsys.readouterr().out


def test_runs_as_json(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["run"], run["status"], run["tasks"]["failed"]) == (RUN, "running", 1)


def test_tasks_of_a_run_that_failed_exit_with_1(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", "last"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["5", "4", "3", "2", "1"]
    assert lines[-1].startswith("in the whole run: ")


def test_tasks_are_chosen_by_state(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", RUN[:6], "--state", "failed", "--json"]) == 1
    (task,) = json.loads(capsys.readouterr().out)
    assert (task["task"], task["state"], task["error"]) == (2, "failed", "ValueError")
