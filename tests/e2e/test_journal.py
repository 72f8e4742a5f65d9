"""What only real processes and real disks show about the journal."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.core.states import State
from nbflow.journal.reader import open_run
from nbflow.journal.rows import AppRow, EventRow, TaskRow
from nbflow.journal.runs import RunStatus
from nbflow.journal.writer import Journal

WRITER = """
import itertools, sys
from nbflow.journal.rows import AppRow, EventRow, TaskRow
from nbflow.journal.writer import Journal

journal = Journal.create("killed")
journal.apps.append(AppRow(1, "area", "python", "flow", None, None))
for task in itertools.count(1):
    journal.tasks.append(TaskRow(task, 2 * task - 1, 1.0, 1, "", "area()", 4, None, None))
    journal.events.append(EventRow(2 * task, 1.0, task, 1, "Returned", 10, None))
    if task % 500 == 0:
        journal.commit()
        journal.flush()
        print(task, flush=True)
"""

NBYTES = 512 << 10


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Mount a disk of half a megabyte."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={NBYTES}", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def write(journal: Journal, tasks: range) -> bool:
    """Write tasks of about a kilobyte each; say whether all rows are on disk."""
    for task in tasks:
        journal.tasks.append(TaskRow(task, 2 * task - 1, 1.0, 1, "", "x" * 1000, State.QUEUED, None, None))
        journal.events.append(EventRow(2 * task, 1.0, task, 1, "Returned", State.DONE, None))
    journal.commit()
    return journal.flush()


@pytest.mark.parametrize("batches", [1, 5, 20])
def test_F4_a_killed_writer_leaves_a_sound_journal(state: Path, batches: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(batches)][-1]
        with open_run("killed") as reader:
            assert reader.info().status is RunStatus.RUNNING
        process.send_signal(signal.SIGKILL)
    with open_run("killed") as reader:
        assert reader.info().status is RunStatus.DIED
        seqs = [row.seq for row in reader.follow()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= 2 * acknowledged
        assert len(seqs) % 1000 == 0
        assert reader.counts() == {State.DONE: len(seqs) // 2}
        assert len(reader.apps()) == 1


def test_F12_a_full_disk_stops_no_run_and_nothing_is_lost_when_there_is_room_again(small_disk: Path) -> None:
    told: list[Exception] = []
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"0" * (NBYTES // 4))
    journal = Journal.create("full", on_trouble=told.append)
    written = [write(journal, range(first, first + 40)) for first in range(1, 401, 40)]
    assert written[0]
    assert not written[-1]
    assert "full" in str(journal.trouble)
    with open_run("full") as reader:
        before = reader.counts()[State.DONE]
        assert 0 < before < 400
        assert before % 40 == 0
    subprocess.run(["mount", "-o", f"remount,size={32 * NBYTES}", str(small_disk)], check=True)
    assert journal.flush()
    assert (journal.trouble, journal.lost, len(told)) == (None, 0, 1)
    journal.close("closed")
    with open_run("full") as reader:
        assert reader.counts() == {State.DONE: 400}


def test_F12_a_limit_on_file_size_stops_no_run(state: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = Journal.create("limited")
    journal.apps.append(AppRow(1, "area", "python", "flow", None, None))
    assert write(journal, range(1, 41))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (NBYTES // 2, hard))
        assert not write(journal, range(41, 401))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.trouble is not None
    assert journal.flush()
    assert (journal.trouble, journal.lost) == (None, 0)
    journal.close("closed")
    with open_run("limited") as reader:
        assert reader.counts() == {State.DONE: 400}


def test_F12_a_disk_that_is_full_from_the_start_leaves_a_journal_in_memory(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"0" * (NBYTES - 8192))
    journal = Journal.create("nowhere")
    assert "in memory only" in str(journal.trouble)
    assert list((small_disk / "runs" / "nowhere").iterdir()) == []
    assert write(journal, range(1, 41))
    with open_run(journal.address) as reader:
        assert reader.counts() == {State.DONE: 40}
    journal.close("closed")


def test_a_finished_journal_is_read_from_a_place_that_cannot_be_written(small_disk: Path) -> None:
    journal = Journal.create("moved")
    assert write(journal, range(1, 11))
    journal.close("closed")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with open_run("moved") as reader:
        assert reader.counts() == {State.DONE: 10}
