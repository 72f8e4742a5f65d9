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
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, final

from nbflow.memo.codec import decode
from nbflow.memo.keys import Code
from nbflow.memo.places import make_private, user_key, write_durably

__all__ = ["Entry", "Outputs", "Record", "Store"]

log = logging.getLogger("nbflow")
T = TypeVar("T")

DATABASE = "results-2.sqlite"
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

WIDTH = 12
CACHE_KIB = 1 << 16
"""Keys lie all over the index: with SQLite's own 2 MB each look at a large store is a read."""

CHECKPOINT_PAGES = 8_000
"""For the same reason: pages that many commits change are copied back once, not once for each."""

COLUMNS = "key, codec, payload, is_apart, outputs, used, seal"
Outputs = Sequence[tuple[str, str]]


@final
@dataclass(slots=True)
class Record:
    """Be the result of one call, looked up at `asked`, on its way into the store.

    Not frozen, as Entry is not: there is one for each call, and a frozen one costs 2 us.
    """

    key: bytes
    code: Code
    forms: str
    outputs: Outputs
    codec: str
    data: bytes
    asked: float
    seconds: float


@final
@dataclass(slots=True)
class Entry:
    """Be what a call gave: its value as `codec` and `data`, and the digests of the files that it wrote."""

    codec: str
    data: bytes
    outputs: Outputs

    def value(self) -> Any:
        """Return the value, a new copy each time. Raises whatever its own code raises."""
        return decode(self.codec, self.data)


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

    def find(self, keys: Iterable[bytes], *, is_use: bool = True) -> dict[bytes, Entry]:
        """Return what is remembered of these calls; nothing that is damaged.

        Results that are used go last when the store is full; a mere look may say that it `is_use` not.
        """
        wanted = list(keys)
        return self._run(lambda: self._find(wanted, is_use=is_use), {}) if wanted else {}

    def add(self, records: Sequence[Record]) -> None:
        """Remember results; when this returns they outlive the process."""
        self._run(lambda: self._add(records), None)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a question; none when the store cannot be read."""
        return self._run(lambda: self._open().execute(sql, values).fetchall(), [])

    def remove(self, keys: Sequence[bytes]) -> None:
        """Forget these calls, and the files that nobody needs any longer."""
        self._run(lambda: self._remove(keys), None)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

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

    def _find(self, keys: list[bytes], *, is_use: bool) -> dict[bytes, Entry]:
        found: dict[bytes, Entry] = {}
        stale: list[bytes] = []
        now = time.time()
        step = self._most_variables()
        for start in range(0, len(keys), step):
            some = keys[start : start + step]
            marks = ", ".join("?" * len(some))
            for row in self._open().execute(f"SELECT {COLUMNS} FROM results WHERE key IN ({marks})", some):
                entry = self._entry(row)
                if entry is not None:
                    found[row[0]] = entry
                    if not isinstance(row[5], float) or now - row[5] > USED_SECONDS:
                        stale.append(row[0])
        if stale and is_use:
            with self._transaction() as connection:
                connection.executemany(
                    "UPDATE results SET used = ? WHERE key = ?", [(now, key) for key in stale]
                )
        return found

    def _entry(self, row: tuple[Any, ...]) -> Entry | None:
        """Return what a row says, or None when any of it is not as it was written."""
        key, codec, payload, is_apart, outputs, _, seal = row
        if not isinstance(payload, bytes) or not isinstance(codec, str) or not isinstance(seal, bytes):
            return None
        if not hmac.compare_digest(seal, self._seal(key, codec, payload, is_apart, outputs)):
            return None
        if is_apart:
            try:
                data = self._blob(payload).read_bytes()
            except OSError:
                return None
            if hashlib.sha256(data).digest() != payload:
                self._blob(payload).unlink(missing_ok=True)  # so that it is written again
                return None
        else:
            data = payload
        return Entry(
            codec, data, [(path, digest) for path, digest in json.loads(outputs)] if outputs != "[]" else []
        )

    def _seal(self, *fields: Any) -> bytes:
        sealed = repr(fields).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(sealed, key=self._key, digest_size=SEAL_NBYTES).digest()

    def _blob(self, digest: bytes) -> Path:
        return self.directory / "blobs" / digest.hex()

    def _add(self, records: Sequence[Record]) -> None:
        now = time.time()
        codes = {id(record.code): record.code for record in records}
        with self._transaction() as connection:
            ids = {key: _code_id(connection, code) for key, code in codes.items()}
            rows = [value for record in records for value in self._row(record, ids[id(record.code)], now)]
            step = self._most_variables() // WIDTH * WIDTH
            for start in range(0, len(rows), step):
                some = rows[start : start + step]
                marks = ", ".join((f"({', '.join('?' * WIDTH)})",) * (len(some) // WIDTH))
                connection.execute(f"INSERT OR REPLACE INTO results VALUES {marks}", some)

    def _row(self, record: Record, code: int, now: float) -> tuple[Any, ...]:
        """Return the row of a record; a large result is on the disk before its row is."""
        payload, is_apart = record.data, int(len(record.data) > INLINE_NBYTES)
        if is_apart:
            payload = hashlib.sha256(record.data).digest()
            path = self._blob(payload)
            if not path.exists() or path.stat().st_size != len(record.data):
                write_durably(path, record.data)
            else:
                os.utime(path)  # it is needed again, whatever the age of who needed it first
        outputs = json.dumps(record.outputs) if record.outputs else "[]"
        seal = self._seal(record.key, record.codec, payload, is_apart, outputs)
        return (
            record.key, code, len(record.data), record.asked, now, record.seconds, record.codec, is_apart,
            outputs, record.forms, seal, payload,
        )  # fmt: skip

    def _remove(self, keys: Sequence[bytes]) -> None:
        connection = self._open()
        with self._transaction():
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


def _code_id(connection: sqlite3.Connection, code: Code) -> int:
    known = code.fingerprint.digest, code.app, code.kind
    connection.execute(
        "INSERT OR IGNORE INTO codes (digest, app, kind, parts) VALUES (?, ?, ?, ?)",
        (*known, json.dumps(code.fingerprint.parts)),
    )
    sql = "SELECT id FROM codes WHERE digest = ? AND app = ? AND kind = ?"
    return int(connection.execute(sql, known).fetchone()[0])


def _text(data: bytes) -> str:
    """Read damaged text too: the seal tells."""
    return data.decode("utf-8", "replace")
