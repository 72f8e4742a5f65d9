"""Own the reading of a journal as it grows, for live views: all that is new, in few large steps.

SQLite lets go of the interpreter lock for every row it gives, and beside a busy thread it may take 5 ms each
time to get it back: ten thousand rows would take a minute. So SQLite packs thousands of rows into one text.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, final

from nbflow.errors import JournalError
from nbflow.journal.rows import AppRow, EdgeRow, FileRow, TaskRow, UsageRow
from nbflow.journal.runs import connect, locate

__all__ = ["Follower", "News", "StateChange"]

_Row = TypeVar("_Row")

PACKED_ROWS = 4096
"""Rows in one text: unpacking one holds the interpreter lock for a few milliseconds."""


class StateChange(NamedTuple):
    """Say that `task` came to `state` at `time`.

    `seconds` is how long the call that ended then took, `slot` where one was sent.
    """

    task: int
    state: int
    time: float
    seconds: float | None
    slot: str | None = None


@final
@dataclass(frozen=True, slots=True)
class News:
    """Hold what came since the last look, each list in its order. Edges join tasks that are known by then."""

    apps: list[AppRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)
    edges: list[EdgeRow] = field(default_factory=list)
    files: list[FileRow] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    usage: list[UsageRow] = field(default_factory=list)
    is_over: bool = False

    def __bool__(self) -> bool:
        return bool(self.apps or self.tasks or self.edges or self.changes or self.is_over)


@final
class Follower:
    """Read a run's journal again and again, each row once. For one thread at a time."""

    def __init__(self, run: Path | str = "last") -> None:
        """Open the journal of `run` as `open_run` does; raise JournalError when that cannot be."""
        self._address = locate(run)
        self._connection = connect(self._address)
        self._version = -1
        self._seen = {"apps": 0, "tasks": 0, "edges": 0, "files": 0, "events": 0, "usage": 0}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def news(self) -> News:
        """Return what was written since the last call; without anything new this takes microseconds."""
        seen = self._seen.copy()
        try:
            ((version,),) = self._connection.execute("PRAGMA data_version")
            if version == self._version:
                return News()
            self._connection.execute("BEGIN")
            try:
                news = self._read()
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._seen = seen  # what was read of this step was told to nobody
            raise JournalError(f"the journal {self._address} cannot be read: {error}") from error
        self._version = version
        return news

    def _read(self) -> News:
        is_over = self._connection.execute("SELECT 1 FROM info WHERE key = 'ended'").fetchone() is not None
        return News(
            list(self._unpacked("apps", "app", AppRow._make, _APP)),
            list(self._unpacked("tasks", "seq", TaskRow._make, TaskRow._fields)),
            list(self._unpacked("edges", "rowid", EdgeRow._make, EdgeRow._fields)),
            list(self._unpacked("files", "rowid", FileRow._make, FileRow._fields)),
            list(self._unpacked("events", "seq", StateChange._make, _CHANGE)),
            list(self._unpacked("usage", "rowid", UsageRow._make, UsageRow._fields)),
            is_over,
        )

    def _unpacked(
        self, table: str, key: str, make: Callable[[Any], _Row], columns: Sequence[str]
    ) -> Iterator[_Row]:
        """Yield the rows not seen yet, packed column by column: row by row would cost twice."""
        names = [f"c{number}" for number in range(len(columns))]
        packed = ", ".join(f"json_group_array({name})" for name in names)
        query = (
            f"WITH rows(key, {', '.join(names)}) AS ("
            f"SELECT {key}, {', '.join(columns)} FROM {table} "
            f"WHERE {key} > ? ORDER BY {key} LIMIT {PACKED_ROWS}) "
            f"SELECT max(key), {packed} FROM rows"
        )
        while True:
            ((last, *texts),) = self._connection.execute(query, (self._seen[table],)).fetchall()
            if last is None:
                return
            self._seen[table] = last
            yield from map(make, zip(*map(json.loads, texts), strict=True))


_APP = ("app", "name", "kind", "module", "NULL", "line")
_SECONDS = "iif(event IN ('Returned', 'Spawned', 'TryFailed'), json_extract(detail, '$.seconds'), NULL)"
_SLOT = "iif(event = 'Dispatched', json_extract(detail, '$.slot'), NULL)"
_CHANGE = ("task", "state", "time", _SECONDS, _SLOT)
