import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from nbflow.errors import JournalError
from nbflow.journal.reader import open_run
from nbflow.journal.runs import RunStatus, connect, locate, runs
from nbflow.journal.writer import Journal


def make(run: str) -> Path:
    journal = Journal.create(run, info={"cell": 3})
    journal.close("closed")
    assert isinstance(journal.address, Path)
    return journal.address


def change(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_runs_are_listed_newest_first(state: Path) -> None:
    make("a")
    make("b")
    assert [run.run for run in runs()] == ["b", "a"]


def test_a_run_says_what_it_knows(state: Path) -> None:
    path = make("a")
    (run,) = runs()
    assert (run.path, run.pid, run.outcome, run.status) == (path, os.getpid(), "closed", RunStatus.ENDED)
    assert run.info["cell"] == 3
    assert run.ended is not None
    assert run.ended >= run.started


def test_an_open_run_of_this_process_is_running(sample: Journal) -> None:
    assert [run.status for run in runs()] == [RunStatus.RUNNING]


def test_a_run_whose_process_is_gone_has_died(sample: Journal) -> None:
    assert isinstance(sample.address, Path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    change(sample.address, "UPDATE info SET value = ? WHERE key = 'pid'", str(gone.pid))
    assert [run.status for run in runs()] == [RunStatus.DIED]


def test_another_process_with_the_number_of_a_dead_one_is_told_apart(sample: Journal) -> None:
    assert isinstance(sample.address, Path)
    change(sample.address, "UPDATE info SET value = '1.0' WHERE key = 'process_started'")
    assert [run.status for run in runs()] == [RunStatus.DIED]


def test_nobody_here_can_tell_of_another_machine(sample: Journal) -> None:
    assert isinstance(sample.address, Path)
    change(sample.address, "UPDATE info SET value = '\"elsewhere\"' WHERE key = 'host'")
    assert [run.status for run in runs()] == [RunStatus.ELSEWHERE]


def test_a_run_has_short_names(state: Path) -> None:
    first, second = make("20260101-aaaa"), make("20260102-bbbb")
    assert locate("20260101-aaaa") == locate("20260101") == locate(first) == locate(first.parent) == first
    assert locate("last") == second
    assert locate(str(second)) == second
    with pytest.raises(JournalError, match="start of 2 runs: 20260101-aaaa, 20260102-bbbb"):
        locate("2026")
    with pytest.raises(JournalError, match="no run is named 'x'"):
        locate("x")


def test_a_whole_name_wins_over_the_start_of_another(state: Path) -> None:
    path = make("run")
    make("run-2")
    assert locate("run") == path


def test_without_runs_there_is_no_last(state: Path) -> None:
    with pytest.raises(JournalError, match="there is no run"):
        open_run("last")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        open_run(tmp_path / "nothing.sqlite")


DAMAGE = {
    "text": (lambda path: path.write_text("not a database " * 500), "cannot be read as a journal"),
    "empty": (lambda path: path.write_bytes(b""), "is not a journal of nbflow"),
    "another database": (
        lambda path: (path.unlink(), change(path, "CREATE TABLE t (a)")),
        "is not a journal",
    ),
    "newer": (lambda path: change(path, "PRAGMA user_version = 99"), "written by a newer nbflow"),
    "older": (lambda path: change(path, "PRAGMA user_version = 0"), "written by an? older nbflow"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_F13_what_is_no_journal_is_refused_and_still_listed(state: Path, damage: str) -> None:
    path = make("a")
    spoil, words = DAMAGE[damage]
    spoil(path)
    with pytest.raises(JournalError, match=words):
        open_run(path)
    (run,) = runs()
    assert (run.run, run.status) == ("a", RunStatus.UNREADABLE)
    assert run.problem


@pytest.mark.parametrize("at", range(100, 60_000, 6_000))
def test_F13_a_damaged_page_is_a_typed_error_or_harmless(state: Path, at: int) -> None:
    path = make("a")
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 2_000)
    with suppress(JournalError), open_run(path) as reader:
        reader.info()
        reader.tasks()
        reader.events()


def test_a_reader_cannot_write(sample: Journal) -> None:
    connection = connect(sample.address)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM events")
    connection.close()
