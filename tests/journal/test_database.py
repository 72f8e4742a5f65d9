import os
import sqlite3
import stat
from pathlib import Path

import pytest

from nbflow.journal.batch import Batch
from nbflow.journal.database import APPLICATION_ID, SCHEMA_VERSION, Database
from nbflow.journal.rows import EventRow


def events(*seqs: int) -> Batch:
    batch = Batch()
    batch.events += [EventRow(seq, 0.0, 1, 1, "Returned", 10, None) for seq in seqs]
    return batch


def stored(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY seq")]
    finally:
        connection.close()


def test_all_files_are_private_under_any_umask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        database = Database.create(tmp_path / "run" / "journal.sqlite", {})
        database.write(events(1))
    finally:
        os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").iterdir()}
    assert modes == dict.fromkeys(("journal.sqlite", "journal.sqlite-shm", "journal.sqlite-wal"), 0o600)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
    database.close({})


def test_a_closed_journal_is_one_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    database = Database.create(path, {"run": "r"})
    database.write(events(1))
    database.close({"outcome": "closed"})
    assert [each.name for each in tmp_path.iterdir()] == ["journal.sqlite"]
    connection = sqlite3.connect(path)
    assert dict(connection.execute("SELECT key, value FROM info")) == {"run": '"r"', "outcome": '"closed"'}
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_closing_beside_a_reader_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    database = Database.create(path, {})
    reading = sqlite3.connect(path)
    assert reading.execute("SELECT count(*) FROM events").fetchone() == (0,)
    database.write(events(1))
    database.close({})
    reading.close()
    assert stored(path) == [1]


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 4095, 4097, 9000])
def test_every_number_of_rows_is_written(tmp_path: Path, count: int) -> None:
    database = Database.create(tmp_path / "journal.sqlite", {})
    database.write(events(*range(count)))
    database.close({})
    assert stored(tmp_path / "journal.sqlite") == list(range(count))


def test_a_row_sent_twice_replaces_the_first(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "journal.sqlite", {})
    database.write(events(1, 1))
    database.write(events(1))
    database.close({})
    assert stored(tmp_path / "journal.sqlite") == [1]


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = Database.create(tmp_path / "journal.sqlite", {})
    batch = events(*range(3000))
    batch.events.append(EventRow(5000, 0.0, 1, 1, "lone \udc80", 10, None))
    with pytest.raises(UnicodeEncodeError):
        database.write(batch)
    database.write(events(7))
    database.close({})
    assert stored(tmp_path / "journal.sqlite") == [7]


def test_half_a_journal_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Database, "_note", fail)
    with pytest.raises(sqlite3.OperationalError):
        Database.create(tmp_path / "journal.sqlite", {})
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        Database.create(path, {})
    assert path.read_text() == "mine"
