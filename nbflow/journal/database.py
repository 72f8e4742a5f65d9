"""Own the database of a journal while it is written: its making, its transactions, its end.

It knows no thread and no clock; what SQLite or the file system refuse is raised as it comes.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, Self, final

from nbflow.core.states import State
from nbflow.journal.batch import Batch, Rows
from nbflow.journal.places import make_private

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "Database"]

APPLICATION_ID = 0x6E62_666C
"""Marks the file as a journal: `nbfl`."""

SCHEMA_VERSION = 3

BUSY_SECONDS = 2.0

LARGEST_INSERT = 4096
"""Rows in one statement. SQLite lets go of the interpreter lock twice a statement, and beside a busy thread
it may take 5 ms each time to get it back: few large statements are far faster than many small ones."""


@final
class Database:
    """Write batches of rows, one transaction each."""

    def __init__(self, address: str, info: Mapping[str, object]) -> None:
        """Open the new database at `address`, an SQLite URI, and lay out its tables."""
        self._connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
        )
        try:
            self._lay_out(info)
        except BaseException:
            self._connection.close()
            raise
        self._inserts = {table: _inserts(self._connection, table) for table, _ in Batch().tables()}

    @classmethod
    def create(cls, path: Path, info: Mapping[str, object]) -> Self:
        """Make the file `path`, which must not exist, so that only this user can read it."""
        make_private(path.parent)
        # Made by hand first: SQLite would leave the permissions to the umask. Its side files copy them.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            return cls(path.as_uri(), info)
        except BaseException:
            for file in path.parent.glob(f"{path.name}*"):  # half a journal would only puzzle its readers
                file.unlink()
            raise

    def write(self, batch: Batch) -> None:
        """Write all rows, or none and raise. A row with the key of an earlier one replaces it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for table, rows in batch.tables():
                self._insert(table, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self, info: Mapping[str, object]) -> None:
        """Add the last `info` and leave one plain file, which can be copied and read from anywhere."""
        try:
            self._note(info)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute("PRAGMA busy_timeout = 0")
            with suppress(
                sqlite3.OperationalError
            ):  # somebody reads just now: the side files stay, no harm done
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()

    def _lay_out(self, info: Mapping[str, object]) -> None:
        # After a power failure the last moments may be missing; the file stays sound.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        schema = resources.files("nbflow.journal").joinpath("schema.sql").read_text(encoding="utf-8")
        self._connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
            f"BEGIN; {schema}"
        )
        self._connection.executemany(
            "INSERT INTO states VALUES (?, ?, ?)",
            [(int(state), state.name, state.is_final) for state in State],
        )
        self._note(info)
        self._connection.execute("COMMIT")

    def _note(self, info: Mapping[str, object]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO info VALUES (?, ?)",
            [(key, json.dumps(value, default=str)) for key, value in info.items()],
        )

    def _insert(self, table: str, rows: Rows[Any]) -> None:
        start = 0
        for size, statement in self._inserts[table]:
            step = size * rows.width
            while len(rows.values) - start >= step:
                self._connection.execute(statement, rows.values[start : start + step])
                start += step


def _inserts(connection: sqlite3.Connection, table: str) -> list[tuple[int, str]]:
    """Write the insert statements of `table` for 4096, 2048, ... 1 rows, as far as this SQLite takes them."""
    columns = len(connection.execute(f"SELECT * FROM {table} LIMIT 0").description)
    most = min(LARGEST_INSERT, connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // columns)
    row = f"({', '.join('?' * columns)})"
    sizes = [1 << power for power in reversed(range(most.bit_length()))]
    return [(size, f"INSERT OR REPLACE INTO {table} VALUES {', '.join([row] * size)}") for size in sizes]
