"""Own the questions to a journal. A reader never makes the writer wait, and never writes."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, final

from nbflow.core.states import State
from nbflow.errors import JournalError
from nbflow.journal.attempts import Attempt, attempts
from nbflow.journal.repairs import Repair, repairs
from nbflow.journal.rows import AppRow, CellRow, Detail, EdgeRow, EventRow, OutputRow, TaskRow, UsageRow
from nbflow.journal.runs import RunInfo, RunStatus, connect, locate, read_info
from nbflow.journal.standing import Standing
from nbflow.journal.table import Table, TaskRecord

__all__ = ["Reader", "open_run"]

_Row = TypeVar("_Row", AppRow, CellRow, EdgeRow, EventRow, OutputRow, TaskRow, UsageRow)

CHUNK = 20_000
"""Rows read at once: a short read lets the writer tidy up its side file."""


def open_run(run: Path | str = "last") -> Reader:
    """Open the journal of `run`: its name or the start of it, `last`, a path, or `Journal.address`.

    Raises JournalError when there is no such run, or its journal cannot be read.
    """
    address = locate(run)
    return Reader(connect(address), address)


@final
class Reader:
    """Answer questions about one run, finished or not. A reader is for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, address: Path | str) -> None:
        self.address = address
        self._connection = connection
        self._standing = Standing()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def info(self) -> RunInfo:
        """Describe the run and say whether it lives."""
        return read_info(self._connection, self.address)

    def apps(self) -> list[AppRow]:
        """List the apps of the run."""
        return self._rows(AppRow, "SELECT * FROM apps ORDER BY app")

    def cells(self) -> list[CellRow]:
        """List the notebook cells that were run, in the order of their first run."""
        return self._rows(CellRow, "SELECT * FROM cells ORDER BY rowid")

    def tasks(
        self,
        *,
        state: State | str | None = None,
        app: str | None = None,
        label: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Table:
        """Tell how tasks stand: all, or those in one state, of one app, with one label; at most `limit`."""
        wanted = {"state": None if state is None else _state_name(state), "app": app, "label": label}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"{column} = ?" for column in given) or "1"
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT * FROM task_states WHERE {where} ORDER BY task {order} LIMIT ?"
        return Table(self._records(query, *given.values(), -1 if limit is None else limit))

    def task(self, task: int) -> TaskRecord:
        """Tell how one task stands; raise JournalError when the run has no such task."""
        records = self._records("SELECT * FROM task_states WHERE task = ?", task)
        if not records:
            raise JournalError(f"the run {self.info().run} has no task {task}")
        return records[0]

    def attempts(self, task: int) -> list[Attempt]:
        """List the tries of `task` that were made, first to last."""
        return attempts(self.history(task))

    def history(self, task: int) -> list[EventRow]:
        """List all that happened to `task`, oldest first, beginning with its submission."""
        return self._rows(EventRow, "SELECT * FROM stream WHERE task = ? ORDER BY seq", task)

    def last_failures(self) -> dict[int, Detail]:
        """Tell of the last failed try of each task that failed by itself."""
        rows = self._ask(("task", "detail"), _LAST_FAILURES, State.FAILED.name)
        return {task: Detail.from_json(detail) for task, detail in rows}

    def repairs(self, task: int) -> list[Repair]:
        """List the retries of `task` by hand, and their undoings, oldest first."""
        history = self.history(task)
        if all(event.event != "RetryRequested" for event in history):
            return []
        ((first_app,),) = self._ask(("app",), "SELECT app FROM tasks WHERE task = ?", task)
        return repairs(history, first_app, {row.app: row for row in self.apps()})

    def outputs(self, task: int) -> list[OutputRow]:
        """List what the tries of `task` wrote to stdout and stderr, as far as it was kept."""
        return self._rows(OutputRow, "SELECT * FROM outputs WHERE task = ? ORDER BY rowid", task)

    def usage(self, task: int) -> list[UsageRow]:
        """List what the tries of `task` used, as far as it was measured."""
        return self._rows(UsageRow, "SELECT * FROM usage WHERE task = ? ORDER BY try_id", task)

    def edges(self, since: int = 0) -> list[EdgeRow]:
        """List the edges but the first `since`: a reader that has seen n asks for `edges(since=n)`."""
        return self._rows(EdgeRow, "SELECT * FROM edges WHERE rowid > ? ORDER BY rowid", since)

    def edges_of(self, task: int) -> list[EdgeRow]:
        """List the edges that begin or end at `task`."""
        return self._rows(EdgeRow, "SELECT * FROM edges WHERE ? IN (parent, child) ORDER BY rowid", task)

    def submitted(self, since: int = 0, limit: int = CHUNK) -> list[TaskRow]:
        """List at most `limit` submissions after the event number `since`, in order."""
        return self._rows(TaskRow, "SELECT * FROM tasks WHERE seq > ? ORDER BY seq LIMIT ?", since, limit)

    def events(self, since: int = 0, limit: int = CHUNK) -> list[EventRow]:
        """List at most `limit` events after number `since`, in order; submissions come as `Submitted`."""
        return self._rows(EventRow, _EVENTS_SINCE, since, since, limit)

    def follow(self, since: int = 0, *, poll: float = 0.1) -> Iterator[EventRow]:
        """Give the events after number `since` as they come, until the run is over."""
        while True:
            is_over = self.info().status in (RunStatus.ENDED, RunStatus.DIED)
            rows = self.events(since)
            yield from rows
            if rows:
                since = rows[-1].seq
            elif is_over:
                return
            else:
                time.sleep(poll)

    def counts(self) -> Counter[State]:
        """Count the tasks in each state. Asking again costs only what happened since."""
        columns = ("seq", "task", "state")
        while rows := self._ask(columns, _STATES_SINCE, self._standing.seq, self._standing.seq, CHUNK):
            self._standing.apply(rows)
        return self._standing.counts()

    def counts_by(self, what: Literal["app", "origin"]) -> dict[str | None, Counter[State]]:
        """Count the tasks in each state for each app, or for each place where apps were called."""
        counts: dict[str | None, Counter[State]] = {}
        for name, state, count in self._ask(
            ("name", "state", "count"), _COUNTS.format(column=_COLUMNS[what])
        ):
            counts.setdefault(name, Counter())[State(state)] = count
        return counts

    def made_at(self, limit: int) -> dict[str | None, list[int]]:
        """List the first `limit` tasks of each place where apps were called."""
        numbers: dict[str | None, list[int]] = {}
        for origin, task in self._ask(("origin", "task"), _FIRST_OF_EACH, limit):
            numbers.setdefault(origin, []).append(task)
        return numbers

    def last_seq(self) -> int:
        """Give the number of the last event."""
        query = "SELECT max(seq) AS seq FROM tasks UNION ALL SELECT max(seq) FROM events"
        return max(seq or 0 for (seq,) in self._ask(("seq",), query))

    def _records(self, query: str, *values: object) -> list[TaskRecord]:
        rows = self._ask(_RECORD, query, *values)
        return [_record(dict(zip(_RECORD, row, strict=True))) for row in rows]

    def _rows(self, kind: type[_Row], query: str, *values: object) -> list[_Row]:
        return [kind._make(row) for row in self._ask(kind._fields, query, *values)]

    def _ask(self, columns: Sequence[str], query: str, *values: object) -> list[Any]:
        """Answer `query` with a list of rows, packed into one text.

        SQLite lets go of the interpreter lock for every row it gives, and beside a busy thread it may take
        5 ms each time to get it back.
        """
        packed = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM ({query})"
        try:
            ((text,),) = self._connection.execute(packed, values).fetchall()
            return json.loads(text)  # type: ignore[no-any-return]
        except (sqlite3.Error, ValueError) as error:
            raise JournalError(f"the journal {self.address} cannot be read: {error}") from error


# Ordered here and not through the view `stream`: so SQLite merges two indexes and sorts nothing.
_STATES_SINCE = """
    SELECT seq, task, state FROM tasks WHERE seq > ?
    UNION ALL SELECT seq, task, state FROM events WHERE seq > ?
    ORDER BY seq LIMIT ?
"""
_EVENTS_SINCE = """
    SELECT seq, time, task, 1 AS try_id, 'Submitted' AS event, state, NULL AS detail FROM tasks WHERE seq > ?
    UNION ALL SELECT * FROM events WHERE seq > ?
    ORDER BY seq LIMIT ?
"""

_COUNTS = """
    SELECT {column} AS name, coalesce(last.state, tasks.state) AS state, count(*) AS count
    FROM tasks LEFT JOIN apps ON apps.app = tasks.app
    LEFT JOIN events AS last ON last.seq = (SELECT max(seq) FROM events WHERE task = tasks.task)
    GROUP BY 1, 2 ORDER BY min(tasks.task)
"""
_COLUMNS = {"app": "apps.name", "origin": "tasks.origin"}
_FIRST_OF_EACH = """
    SELECT origin, task FROM (
        SELECT origin, task, row_number() OVER (PARTITION BY origin ORDER BY task) AS place FROM tasks
    ) WHERE place <= ?
"""

_LAST_FAILURES = """
    SELECT events.task, events.detail FROM task_states JOIN events ON events.seq = (
        SELECT max(seq) FROM events AS own
        WHERE own.task = task_states.task AND own.event IN ('TryFailed', 'StagingFailed')
    ) WHERE task_states.state = ?
"""
_RECORD = tuple(field.name for field in fields(TaskRecord))


def _record(values: dict[str, Any]) -> TaskRecord:
    return TaskRecord(**(values | {"state": State[values["state"]]}))


def _state_name(state: State | str) -> str:
    """Give the name of `state`, however it is spelled (`failed`, `upstream-failed`)."""
    name = state.name if isinstance(state, State) else state.upper().replace("-", "_").replace(" ", "_")
    if name not in State.__members__:
        known = ", ".join(member.name.lower() for member in State)
        raise ValueError(f"{state!r} is no state of a task; these are: {known}")
    return name
