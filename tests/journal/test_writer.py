import sqlite3
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from nbflow.errors import JournalError
from nbflow.journal import writer
from nbflow.journal.batch import Batch
from nbflow.journal.database import Database
from nbflow.journal.reader import open_run
from nbflow.journal.rows import EventRow, OutputRow
from nbflow.journal.writer import Journal


def event(seq: int) -> EventRow:
    return EventRow(seq, 0.0, 1, 1, "Returned", 10, None)


def stored(address: Path | str) -> list[int]:
    with open_run(address) as reader:
        return [row.seq for row in reader.events()]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A disk that is full while this is set."""
    is_full = threading.Event()
    write = Database.write

    def refuse(self: Database, batch: Batch) -> None:
        if is_full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        write(self, batch)

    monkeypatch.setattr(Database, "write", refuse)
    return is_full


def test_what_is_committed_is_read(state: Path) -> None:
    journal = Journal.create("r")
    journal.events += [event(1), event(2)]
    journal.commit()
    assert journal.flush()
    assert stored("r") == [1, 2]
    journal.close("closed")


def test_F14_a_journal_torn_anywhere_in_mid_write_has_whole_batches_and_no_more(
    state: Path, tmp_path: Path
) -> None:
    journal = Journal.create("r")
    for first in range(1, 31, 10):
        journal.events += [event(seq) for seq in range(first, first + 10)]
        journal.commit()
        assert journal.flush()
    assert isinstance(journal.address, Path)
    database = journal.address.read_bytes()
    log = journal.address.with_name(f"{journal.address.name}-wal").read_bytes()  # what SQLite writes first
    journal.close("closed")
    torn, counts = tmp_path / "torn" / journal.address.name, []
    torn.parent.mkdir()
    for length in sorted({*range(0, len(log), 499), *range(32, len(log) + 1, 4096 + 24)}):
        for left in torn.parent.iterdir():
            left.unlink()
        torn.write_bytes(database)
        torn.with_name(f"{torn.name}-wal").write_bytes(log[:length])
        with suppress(JournalError):  # its tables are not there yet
            counts.append(len(stored(torn)))
    assert counts == sorted(counts)
    assert set(counts) == {0, 10, 20, 30}


def test_closing_writes_what_waits_and_ends_the_thread(state: Path) -> None:
    journal = Journal.create("r")
    journal.events.append(event(1))
    journal.close("closed")
    assert stored("r") == [1]
    assert "nbflow-journal" not in [thread.name for thread in threading.enumerate()]
    with open_run("r") as reader:
        assert reader.info().outcome == "closed"


def test_a_reader_beside_the_writer_sees_whole_batches_only(state: Path) -> None:
    journal = Journal.create("r")
    with open_run("r") as reader:
        for batch in range(20):
            journal.events += map(event, range(batch * 100 + 1, batch * 100 + 101))
            journal.commit()
            assert len(reader.events()) % 100 == 0
        assert journal.flush()
        assert len(reader.events()) == 2000
    journal.close("closed")


def test_a_value_that_does_not_fit_spoils_nothing(state: Path) -> None:
    journal = Journal.create("r")
    journal.events.append(event(1))
    journal.outputs.append(OutputRow(1, 1, "stdout", "lone \udc80", 2**70))
    journal.commit()
    assert journal.flush()
    assert journal.trouble is None
    with open_run("r") as reader:
        assert reader.outputs(1)[0].text == "lone \\udc80"
    journal.close("closed")


def test_F12_a_full_disk_is_told_once_and_writing_goes_on_later(state: Path, full: threading.Event) -> None:
    told: list[JournalError] = []
    journal = Journal.create("r", on_trouble=told.append)
    full.set()
    for seq in (1, 2):
        journal.events.append(event(seq))
        journal.commit()
        assert not journal.flush()
    assert "disk is full" in str(journal.trouble)
    full.clear()
    journal.events.append(event(3))
    journal.commit()
    assert journal.flush()
    assert journal.trouble is None
    assert journal.lost == 0
    assert stored("r") == [1, 2, 3]
    journal.close("closed")
    assert [type(error) for error in told] == [JournalError]


def test_F12_what_waits_for_room_is_bounded_and_counted(
    state: Path, full: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING_ROWS", 10)
    journal = Journal.create("r")
    full.set()
    for batch in range(4):
        journal.events += map(event, range(batch * 10, batch * 10 + 10))
        journal.commit()
        assert not journal.flush()
    assert journal.lost == 30
    full.clear()
    assert journal.flush()
    assert stored("r") == list(range(30, 40))
    journal.close("closed")


def test_F12_closing_with_a_full_disk_gives_up_what_waits(state: Path, full: threading.Event) -> None:
    journal = Journal.create("r")
    full.set()
    journal.events.append(event(1))
    journal.close("closed")
    assert journal.lost == 1
    assert not journal._thread.is_alive()


@pytest.mark.parametrize("place", ["a file", "an existing run"])
def test_F12_without_a_file_the_journal_is_in_memory(state: Path, place: str) -> None:
    if place == "a file":
        (state / "runs").write_text("in the way")
    else:
        Journal.create("r").close("closed")
    told: list[JournalError] = []
    journal = Journal.create("r", on_trouble=told.append)
    journal.events.append(event(1))
    journal.commit()
    assert journal.flush()
    assert stored(journal.address) == [1]
    assert "in memory only" in str(journal.trouble)
    assert told == [journal.trouble]
    journal.close("closed")


def test_F12_a_deleted_file_is_told_and_the_run_goes_on(state: Path) -> None:
    journal = Journal.create("r")
    for path in (state / "runs" / "r").iterdir():
        path.unlink()
    journal.events.append(event(1))
    journal.commit()
    journal.flush()
    assert "was deleted" in str(journal.trouble)
    journal.close("closed")


def test_files_and_directories_are_private(state: Path) -> None:
    journal = Journal.create("r")
    assert stat.S_IMODE((state / "runs").stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "runs" / "r" / "journal.sqlite").stat().st_mode) == 0o600
    journal.close("closed")
