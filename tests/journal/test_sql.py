import os
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from nbflow.errors import QueryError
from nbflow.journal.reader import Reader
from nbflow.journal.sql import Answer, ask, views
from nbflow.journal.writer import Journal

COLUMNS = {
    "run": "run started ended outcome program host pid",
    "apps": "name kind module line source",
    "cells": "origin notebook cell_id execution_count source_hash",
    "tasks": "task app label call state try_id submitted started finished seconds slot error message root"
    " origin spawner notebook cell_id execution_count source_hash",
    "edges": "parent child kind",
    "files": "task path role",
    "events": "seq time task app try_id event state slot seconds cause error message root why by",
    "attempts": "task app try_id slot why started ended end seconds cause error message traceback",
    "failures": "task app call try_id time slot seconds cause error message traceback",
    "outputs": "task try_id stream nbytes text",
    "usage": "task try_id cpu_seconds nbytes",
}

HOSTILE = [
    "ATTACH '/tmp/other.sqlite' AS other",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA query_only = 0",
    "SELECT * FROM pragma_database_list",
    "INSERT INTO main.tasks (task) VALUES (9)",
    "DELETE FROM main.tasks RETURNING task",
    "WITH gone AS (SELECT 1) DELETE FROM main.tasks",
    "DROP VIEW tasks",
    "CREATE TEMP TABLE more (x)",
    "BEGIN EXCLUSIVE",
    "VACUUM",
    "VACUUM INTO '/tmp/other.sqlite'",
    "SELECT load_extension('/tmp/other.so')",
    "SELECT 1; DROP VIEW tasks",
    "SELECT 1) UNION SELECT (2",
]
MISTAKEN = [
    "",
    "-- nothing",
    "SELEC 1",
    "SELECT nothing FROM tasks",
    "SELECT 1 FROM nowhere",
    "SELECT '",
    "tasks",
]

COUNT_FOREVER = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT {} FROM n"


def test_the_views_keep_their_columns(sample: Journal) -> None:
    assert views() == list(COLUMNS)
    assert {view: " ".join(ask("last", f"SELECT * FROM {view}").columns) for view in COLUMNS} == COLUMNS


def test_tasks_stand_as_the_reader_says(sample: Journal, reader: Reader) -> None:
    answer = ask(sample.address, "SELECT * FROM tasks ORDER BY task DESC")
    assert answer.to_values() == [record.to_values() for record in reversed(reader.tasks())]


def test_attempts_are_those_of_the_reader(sample: Journal, reader: Reader) -> None:
    for task in range(1, 6):
        asked = ask(
            "last", f'SELECT try_id, slot, started, ended, "end", error FROM attempts WHERE task = {task}'
        )
        told = [
            (one.try_id, one.slot, one.started, one.ended, one.end, one.detail.error)
            for one in reader.attempts(task)
        ]
        assert list(asked) == told


def test_what_failed_by_itself_is_told_with_its_traceback(sample: Journal) -> None:
    ((task, error, traceback),) = ask("last", "SELECT task, error, traceback FROM failures")
    assert (task, error) == (2, "ValueError")
    assert "in area" in traceback


def test_edges_events_and_the_run_are_in_words(sample: Journal) -> None:
    assert list(ask("last", "SELECT * FROM edges")) == [(2, 3, "argument"), (4, 5, "join")]
    assert list(ask("last", "SELECT state, seconds FROM events WHERE event = 'Returned'")) == [("done", 0.75)]
    assert list(ask("last", "SELECT run, ended FROM run")) == [(sample.run, None)]


def test_an_answer_shows_itself(sample: Journal) -> None:
    answer = ask(
        "last", "SELECT task, call, NULL, '<b>', x'00ff', 0.1 + 0.2, 1 AS a, 2 AS a FROM tasks LIMIT 2; "
    )
    assert repr(answer).splitlines()[1] == "1     area(100)        <b>    00FF     0.3        1  2"
    assert "&lt;b&gt;" in answer._repr_html_()
    assert len(set(answer.columns)) == 8
    frame = answer.to_frame()
    assert list(frame["task"]) == [1, 2]
    assert repr(Answer(["n"], [(n,) for n in range(100)])).endswith("59\n... and 40 more")
    assert repr(ask("last", "SELECT task FROM tasks WHERE 0")) == "task\nno rows"


@pytest.mark.parametrize("query", HOSTILE)
def test_only_reading_is_answered(sample: Journal, query: str) -> None:
    before = sqlite3.connect(f"{Path(sample.address).as_uri()}?mode=ro", uri=True)
    with pytest.raises(QueryError):
        ask("last", query)
    (mode,) = before.execute("PRAGMA journal_mode").fetchone()
    before.close()
    assert mode == "wal"
    assert not Path("/tmp/other.sqlite").exists()
    assert len(ask("last", "SELECT * FROM tasks")) == 5


def test_writing_is_refused_in_words(sample: Journal) -> None:
    with pytest.raises(QueryError, match="only SELECT is answered"):
        ask("last", "DELETE FROM main.tasks")


@pytest.mark.parametrize("query", MISTAKEN)
def test_a_mistake_is_told_with_the_query(sample: Journal, query: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask("last", query)
    assert str(caught.value).endswith(f"\n  {query}")


def test_too_much_is_refused(sample: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbflow.journal.sql.MOST_ROWS", 1000)
    with pytest.raises(QueryError, match="over 1,000 rows: count, group, or add a LIMIT"):
        ask("last", COUNT_FOREVER.format("x"))


def test_a_long_query_is_interrupted(sample: Journal) -> None:
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        ask("last", COUNT_FOREVER.format("count(*)"))
    timer.join()


def test_a_journal_in_memory_is_asked_too(
    sample: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NBFLOW_STATE_DIR", "/proc/none")
    kept = Journal.create("in-memory")
    try:
        assert list(ask(kept.address, "SELECT run FROM run")) == [("in-memory",)]
    finally:
        kept.close("closed")
