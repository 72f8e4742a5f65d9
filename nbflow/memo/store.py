"""Own the store of results: one for each user, shared by all kernels, found by the key of a call.

Small results lie in one SQLite database, larger ones in files named by their digest. A record is believed
only when its seal, made with the user's own key, is right: so a damaged one is a miss, and no pickle that
somebody else wrote is ever opened. The store is a cache: whatever is wrong with it, calls are run.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import marshal
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, final

from nbflow.memo.codec import decode
from nbflow.memo.keys import Code
from nbflow.memo.places import make_private, user_key, write_durably
from nbflow.memo.recent import Recent, Row

__all__ = ["Entry", "Outputs", "Store", "row_of"]

log = logging.getLogger("nbflow")
T = TypeVar("T")

DATABASE = "results-3.sqlite"
INLINE_NBYTES = 1 << 16
BUSY_SECONDS = 5.0
AGAIN_SECONDS = 0.01
SEAL_NBYTES = 32
USED_SECONDS = 3600.0
"""How far back the noted time of the last use may lie: a write for each hit would cost more than the hit."""

PASSING = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    )
)
"""What is wrong with the disk or for the moment, not with the database: next time it may work."""

MOST_VARIABLES = 12_000
"""In one statement, where SQLite takes so many: Python's lock is let go of for each, and waited for again."""

MOST_ROWS = 1000
"""In one batch: SQLite takes a gigabyte in one value, and rows hold up to INLINE_NBYTES."""

WIDTH = 12
CACHE_KIB = 1 << 16
"""Keys lie all over the index: with SQLite's own 2 MB each look at a large store is a read."""

CHECKPOINT_PAGES = 8_000
"""For the same reason: pages that many commits change are copied back once, not once for each."""

SEALED = "key, codec, payload, is_apart, outputs"
SEALED_WIDTH = 5
COLUMNS = f"{SEALED}, used, code, nbytes, asked, seconds, forms"
"""What a row is, in this order."""

NBYTES_AT = 7

Outputs = Sequence[tuple[str, str]]


@final
@dataclass(slots=True)
class Entry:
    """Be what a call gave: its value as `codec` and `data`, and the digests of the files that it wrote.

    Not frozen: there is one for each hit, and a frozen one costs 2 us.
    """

    codec: str
    data: bytes
    outputs: Outputs

    def value(self) -> Any:
        """Return the value, a new copy each time. Raises whatever its own code raises."""
        return decode(self.codec, self.data)


def row_of(key: bytes, code: Code, forms: str, entry: Entry, asked: float, now: float, seconds: float) -> Row:
    """Return the row of a call that was looked up at `asked`, and of its result.

    A tuple: there is one for each call, and an object costs a microsecond more.
    """
    told = json.dumps(entry.outputs) if entry.outputs else "[]"
    data = entry.data
    return key, entry.codec, data, 0, told, now, code.number, len(data), asked, seconds, forms


@final
class Store:
    """Keep results under `directory`. Safe to use from several threads and processes at once.

    Raises ConfigError when the directory cannot be this user's alone.
    """

    def __init__(self, directory: Path) -> None:
        make_private(directory)
        make_private(directory / "blobs")
        self.directory = directory
        self._key = user_key(directory)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._has_warned = False
        self._recent = Recent(partial(self._seal, kind=b"batch"))
        self._codes: set[int] = set()

    def find(
        self, keys: Iterable[bytes], codes: Collection[int] = (), *, is_use: bool = True
    ) -> dict[bytes, Entry]:
        """Return what is remembered of these calls; nothing that is damaged.

        The numbers of their `codes` may save a look. Results that are used go last when the store is full; a
        mere look may say that it `is_use` not.
        """
        wanted = list(keys)
        return self._run(lambda: self._find(wanted, codes, is_use=is_use), {}) if wanted else {}

    def add(self, rows: list[Row], codes: Collection[Code]) -> None:
        """Remember results of calls of these codes; when this returns they outlive the process."""
        self._run(lambda: self._add(rows, codes), None)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a question; none when the store cannot be read."""
        self.settle()
        return self._run(lambda: self._open().execute(sql, values).fetchall(), [])

    def settle(self) -> None:
        """Put what came last into the index: where it is asked for in other ways than by its key."""
        self._run(self._settle, None)

    def remove(self, keys: Sequence[bytes]) -> None:
        """Forget these calls, and the files that nobody needs any longer."""
        self._run(lambda: self._remove(keys), None)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._recent.clear()
                self._codes.clear()

    def _run(self, action: Callable[[], T], otherwise: T) -> T:
        with self._lock:
            try:
                return action()
            # SQLite quotes what it cannot read, which need not be text.
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in PASSING:
                    self._warn(str(error))
                else:
                    self._set_aside(str(error))
            except OSError as error:
                self._warn(str(error))
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            path = self.directory / DATABASE
            path.touch(mode=0o600)
            connection = sqlite3.connect(
                path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
            )
            connection.text_factory = _text
            try:
                _lay_out(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _most_variables(self) -> int:
        return min(MOST_VARIABLES, self._open().getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))

    def _set_aside(self, why: str) -> None:
        """Begin anew where a database cannot be read: what it held is recomputed."""
        self.close()
        self._warn(f"{why}; it was set aside, and what it held is computed again")
        path = self.directory / DATABASE
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(".damaged"))
            for side in ("-wal", "-shm"):
                path.with_name(path.name + side).unlink(missing_ok=True)

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("nbflow: the store of results in %s: %s", self.directory, why)

    def _find(self, keys: list[bytes], codes: Collection[int], *, is_use: bool) -> dict[bytes, Entry]:
        found: dict[bytes, Entry] = {}
        stale: list[bytes] = []
        now = time.time()
        for key, codec, payload, is_apart, outputs, used, *_ in self._rows_of(keys, codes):
            data = self._blob_data(payload) if is_apart else payload
            if data is None:
                continue
            names = [(path, digest) for path, digest in json.loads(outputs)] if outputs != "[]" else []
            found[key] = Entry(codec, data, names)
            if not isinstance(used, float) or now - used > USED_SECONDS:
                stale.append(key)
        if stale and is_use:
            with self._indexed() as connection:
                connection.executemany(
                    "UPDATE results SET used = ? WHERE key = ?", [(now, key) for key in stale]
                )
        return found

    def _rows_of(self, keys: list[bytes], codes: Collection[int]) -> Iterator[Row]:
        """Yield what is remembered of these calls, and is as it was written."""
        connection = self._open()
        self._recent.refresh(connection)
        others: list[bytes] = []
        for key in keys:
            recent = self._recent.find(key)
            if recent is None:
                others.append(key)
            else:
                yield recent
        if codes and self._recent.holds_all_of(codes):
            return
        step = self._most_variables()
        for start in range(0, len(others), step):
            some = others[start : start + step]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT {SEALED}, used, seal FROM results WHERE key IN ({marks})"
            for *row, used, seal in connection.execute(sql, some):
                if isinstance(seal, bytes) and hmac.compare_digest(seal, self._seal_row(*row)):
                    yield (*row, used)

    def _blob_data(self, digest: bytes) -> bytes | None:
        """Return a large result; None when its file is not there, or is damaged."""
        path = self._blob(digest)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).digest() == digest:
            return data
        path.unlink(missing_ok=True)  # so that it is written again
        return None

    def _seal(self, data: bytes, kind: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=SEAL_NBYTES, person=kind).digest()

    def _seal_row(self, *fields: Any) -> bytes:
        # Version 2 writes equal values alike, whoever else holds them.
        return self._seal(marshal.dumps(fields, 2), b"row")

    def _blob(self, digest: bytes) -> Path:
        return self.directory / "blobs" / digest.hex()

    def _add(self, rows: list[Row], codes: Collection[Code]) -> None:
        for start in range(0, len(rows), MOST_ROWS):
            self._add_batch(rows[start : start + MOST_ROWS], codes)

    def _add_batch(self, rows: list[Row], codes: Collection[Code]) -> None:
        connection = self._open()
        rows = [row if row[NBYTES_AT] <= INLINE_NBYTES else self._put_apart(row) for row in rows]
        for _ in range(2):
            unknown = [code for code in codes if code.number not in self._codes]
            if unknown:
                self._add_codes(unknown)
            if self._recent.add(connection, rows, {code.number for code in codes}):
                break
            self._codes.clear()  # another kernel has removed all results of one
        else:
            raise sqlite3.DatabaseError("it does not find what was just written")
        if self._recent.is_full:
            self._settle()

    def _add_codes(self, codes: Collection[Code]) -> None:
        with self._transaction() as connection:
            for code in codes:
                cursor = connection.execute(
                    "INSERT OR IGNORE INTO codes VALUES (?, ?, ?, ?, ?)",
                    (
                        code.number,
                        code.fingerprint.digest,
                        code.app,
                        code.kind,
                        json.dumps(code.fingerprint.parts),
                    ),
                )
                if cursor.rowcount == 1:
                    self._recent.new_codes.add(code.number)
        self._codes.update(code.number for code in codes)

    def _put_apart(self, row: Row) -> Row:
        """Have a large result on the disk; return the row that names it."""
        key, codec, data, _, *more = row
        digest = hashlib.sha256(data).digest()
        path = self._blob(digest)
        if not path.exists() or path.stat().st_size != len(data):
            write_durably(path, data)
        else:
            os.utime(path)  # it is needed again, whatever the age of who needed it first
        return (key, codec, digest, 1, *more)

    def _settle(self) -> None:
        self._recent.refresh(self._open())
        if not self._recent.is_empty:
            with self._indexed():
                pass

    @contextlib.contextmanager
    def _indexed(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction in which all rows are in the index."""
        with self._transaction() as connection:
            self._index_recent(connection)
            yield connection
        self._recent.clear()

    def _index_recent(self, connection: sqlite3.Connection) -> None:
        rows = self._recent.take(connection)
        values = [value for row in rows for value in (*row, self._seal_row(*row[:SEALED_WIDTH]))]
        step = self._most_variables() // WIDTH * WIDTH
        for start in range(0, len(values), step):
            some = values[start : start + step]
            marks = ", ".join((f"({', '.join('?' * WIDTH)})",) * (len(some) // WIDTH))
            connection.execute(f"INSERT OR REPLACE INTO results ({COLUMNS}, seal) VALUES {marks}", some)

    def _remove(self, keys: Sequence[bytes]) -> None:
        with self._indexed() as connection:
            connection.executemany("DELETE FROM results WHERE key = ?", [(key,) for key in keys])
            connection.execute("DELETE FROM codes WHERE id NOT IN (SELECT code FROM results)")
        kept = {row[0].hex() for row in connection.execute("SELECT payload FROM results WHERE is_apart = 1")}
        old = time.time() - USED_SECONDS  # a younger file may be one whose row is about to be written
        for path in (self.directory / "blobs").iterdir():
            if path.name not in kept and path.stat().st_mtime < old:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._recent.clear()
            raise


def _lay_out(connection: sqlite3.Connection) -> None:
    """Set a database up, and make what is not there yet.

    Of several processes that turn a new one to WAL at the same moment, SQLite refuses all but one at once,
    whatever the timeout: they try again.
    """
    schema = resources.files("nbflow.memo").joinpath("schema.sql").read_text(encoding="utf-8")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};" + schema
            )
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)


def _text(data: bytes) -> str:
    """Read damaged text too: the seal tells."""
    return data.decode("utf-8", "replace")
