"""Own what came into the store last: batches of rows that are not in its index yet.

Keys are digests, so each row of a batch belongs to another page of an index, and costs five times what one at
the end of a table does. A batch is one row at such an end, sealed as a whole; each kernel has the newest
batches in memory, also those of other kernels. They go into the index together, when there is time.
"""

from __future__ import annotations

import hmac
import marshal
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any, final

__all__ = ["Recent", "Row"]

MARSHAL_VERSION = 4
"""All Pythons that share a store read it."""

MOST_NBYTES = 1 << 23
"""About 40,000 small results: it bounds the memory, and the wait while they go into the index."""

Row = tuple[Any, ...]
"""One result, as the table of results has it, without its seal; the key first."""


@final
class Recent:
    """Know the newest batches of a store's database; `seal` tells that this user wrote one.

    Every method needs the store's lock.
    """

    def __init__(self, seal: Callable[[bytes], bytes]) -> None:
        self._seal = seal
        self.clear()

    def clear(self) -> None:
        """Know of none; what the database still holds is read again by `refresh`."""
        self._first = self._last = 0
        self._rows: dict[bytes, Row] = {}
        self._nbytes = 0
        self.new_codes: set[int] = set()

    @property
    def is_empty(self) -> bool:
        """Tell that the database held none, as of the last `refresh`."""
        return not self._first

    @property
    def is_full(self) -> bool:
        """Tell that it is time for the index."""
        return self._nbytes > MOST_NBYTES

    def find(self, key: bytes) -> Row | None:
        """Return the newest row of a key, as of the last `refresh`."""
        return self._rows.get(key)

    def holds_all_of(self, codes: Collection[int]) -> bool:
        """Tell whether nothing in the index is a result of these codes: they came when it was last filled."""
        return self.new_codes.issuperset(codes)

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Learn what other kernels added, or put into the index."""
        # One row: Python's lock is let go of, and waited for again, for each.
        ((first, last),) = connection.execute("SELECT min(id), max(id) FROM recent")
        if (first or 0) != self._first:
            self.clear()  # they are taken all at once, and no number is given twice
        if last is not None and last > self._last:
            news = connection.execute(
                "SELECT id, rows, seal FROM recent WHERE id > ? ORDER BY id", (self._last,)
            ).fetchall()
            for number, data, seal in news:
                self._learn(number, self._read(data, seal), len(data))

    def add(self, connection: sqlite3.Connection, rows: list[Row], codes: Collection[int]) -> bool:
        """Put a batch at the end, unless one of the codes that its rows name is no longer in the database."""
        data = marshal.dumps(rows, MARSHAL_VERSION)
        marks = ", ".join("?" * len(codes))
        # One statement, which is a transaction by itself.
        cursor = connection.execute(
            "INSERT INTO recent (rows, seal) "
            f"SELECT ?, ? WHERE (SELECT count(*) FROM codes WHERE id IN ({marks})) = ?",
            (data, self._seal(data), *codes, len(codes)),
        )
        if not cursor.rowcount:
            return False
        number = int(cursor.lastrowid or 0)
        if (
            number == self._last + 1 or self.is_empty
        ):  # else another kernel was there before: `refresh` reads both
            self._learn(number, rows, len(data))
        return True

    def take(self, connection: sqlite3.Connection) -> list[Row]:
        """Return one row for each key, and remove them in the transaction; `clear` when that is certain."""
        self.refresh(connection)
        connection.execute("DELETE FROM recent")
        return list(self._rows.values())

    def _learn(self, number: int, rows: Sequence[Row], nbytes: int) -> None:
        self._first, self._last = self._first or number, number
        self._nbytes += nbytes
        for row in rows:
            self._rows[row[0]] = row

    def _read(self, data: Any, seal: Any) -> Sequence[Row]:
        """Return the rows of a batch; none when it is not as it was written."""
        if not isinstance(data, bytes) or not isinstance(seal, bytes):
            return ()
        if not hmac.compare_digest(seal, self._seal(data)):
            return ()
        rows: Sequence[Row] = marshal.loads(data)
        return rows
