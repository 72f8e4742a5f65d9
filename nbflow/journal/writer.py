"""Own the writing of a run's journal: rows come in without waiting, one thread puts them on disk.

A journal never stops a run. What cannot be written waits, within a bound, and is tried again; trouble is told
once.
"""

from __future__ import annotations

import os
import platform
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, final

import psutil

from nbflow import _version
from nbflow.errors import JournalError
from nbflow.journal.batch import Batch
from nbflow.journal.database import Database
from nbflow.journal.places import journal_path, notebook

__all__ = ["Journal"]

GATHER_SECONDS = 0.04
"""How long rows gather before they are written together: at most 25 transactions a second."""

RETRY_SECONDS = 1.0
MAX_WAITING_ROWS = 200_000

_Told = Callable[[JournalError], None]
_Call = Callable[[], object]


@final
class Journal:
    """Keep the book of one run.

    `apps`, `tasks`, `cells`, `edges`, `files`, `events`, `outputs` and `usage` are tables, the same for life:
    append rows, then call `commit`, all from one thread. `address` is what `open_run` takes.
    `trouble` says why rows cannot be written just now (None when they can), `lost` counts those that never
    will be.
    """

    def __init__(self, run: str, address: Path | str, database: Database, told: _Told | None) -> None:
        self.run = run
        self.address = address
        self.trouble: JournalError | None = None
        self.lost = 0
        self._batch = Batch()
        self.apps = self._batch.apps
        self.tasks = self._batch.tasks
        self.cells = self._batch.cells
        self.edges = self._batch.edges
        self.files = self._batch.files
        self.events = self._batch.events
        self.outputs = self._batch.outputs
        self.usage = self._batch.usage
        self._database = database
        self._told = told
        self._inbox: queue.SimpleQueue[Batch | threading.Event | _Call | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._owed: list[_Call] = []
        self._waiting = Batch()
        self._retry_at = 0.0
        self._outcome = ""
        self._thread = threading.Thread(target=self._work, name="nbflow-journal", daemon=True)
        self._thread.start()

    @classmethod
    def create(
        cls,
        run: str,
        *,
        info: Mapping[str, object] | None = None,
        on_trouble: _Told | None = None,
    ) -> Self:
        """Start the journal of `run` in the user's state directory.

        `info` is written down as it is, beside the facts of this process. Where no file can be made, the
        journal is kept in memory, for this process only. `on_trouble` is called once, from any thread, when
        rows cannot be written; it must not raise.
        """
        path = journal_path(run)
        facts = {**(info or {}), **_facts(run)}
        try:
            return cls(run, path, Database.create(path, facts), on_trouble)
        except (OSError, sqlite3.Error) as error:
            address = f"file:nbflow-{run}?mode=memory&cache=shared"
            journal = cls(run, address, Database(address, facts), on_trouble)
            journal._complain(
                f"no journal can be made at {path} ({error}): this run is remembered in memory only. "
                "Set NBFLOW_STATE_DIR to a directory on a disk with room that you may write to."
            )
            return journal

    def commit(self) -> None:
        """Hand over all rows that were appended; return at once."""
        if batch := self._batch.take():
            self._inbox.put(batch)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until every row handed over is on disk; say whether it is, within `timeout` seconds."""
        if not self._thread.is_alive():
            return not self.lost
        done = threading.Event()
        self._inbox.put(done)
        self._hurry.set()
        return done.wait(timeout) and not self._waiting

    def when_written(self, tell: _Call) -> None:
        """Have `tell()` called, in the journal's thread, once all rows appended before are on disk."""
        self.commit()
        self._inbox.put(tell)

    def close(self, outcome: str, timeout: float = 10.0) -> None:
        """Write what waits and how the run ended, then stop; rows that cannot be written are given up."""
        self.commit()
        self._outcome = outcome
        self._inbox.put(None)
        self._hurry.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            flushed, is_last = self._gather()
            if is_last or flushed or time.monotonic() >= self._retry_at:
                self._write()
            for done in flushed:
                done.set()
        self._finish()

    def _gather(self) -> tuple[list[threading.Event], bool]:
        """Wait for rows, let more gather, take all; return who waits for them and whether it is the end."""
        items = self._next_items()
        flushed = []
        for item in items:
            match item:
                case Batch():
                    self._waiting.absorb(item)
                case threading.Event():
                    flushed.append(item)
                case None:
                    pass
                case tell:
                    self._owed.append(tell)
        if self.trouble:
            self.lost += self._waiting.trim(MAX_WAITING_ROWS)
        return flushed, None in items

    def _next_items(self) -> list[Batch | threading.Event | _Call | None]:
        try:
            items = [self._inbox.get(timeout=RETRY_SECONDS if self._waiting else None)]
        except queue.Empty:
            return []
        self._hurry.wait(GATHER_SECONDS)
        self._hurry.clear()
        while not self._inbox.empty():
            items.append(self._inbox.get())
        return items

    def _write(self) -> None:
        if self._waiting:
            self._write_rows()
        if not self._waiting:
            owed, self._owed = self._owed, []
            for tell in owed:
                tell()

    def _write_rows(self) -> None:
        try:
            try:
                self._database.write(self._waiting)
            except (ValueError, OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError):
                self._waiting.mend()
                self._database.write(self._waiting)
        except (OSError, sqlite3.Error) as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._complain(
                f"the journal cannot be written at {self.address} ({error}): the run goes on, and what "
                "happens now is shown once there is room again. Free some disk space."
            )
            return
        self._waiting = Batch()
        self._retry_at = 0.0
        self._look_for_file()

    def _look_for_file(self) -> None:
        if not isinstance(self.address, Path):
            return
        if self.address.exists():
            self.trouble = None
        else:
            self._complain(f"the journal {self.address} was deleted: the run goes on, unseen by new readers.")

    def _finish(self) -> None:
        self.lost += len(self._waiting)
        try:
            self._database.close({"ended": time.time(), "outcome": self._outcome, "lost": self.lost})
        except sqlite3.Error as error:
            self._complain(f"the end of the run cannot be written at {self.address} ({error}).")

    def _complain(self, message: str) -> None:
        self.trouble = JournalError(message)
        told, self._told = self._told, None
        if told is not None:
            told(self.trouble)


def _facts(run: str) -> dict[str, object]:
    return {
        "run": run,
        "started": time.time(),
        "host": platform.node(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "program": notebook(),
        "directory": _directory(),
        "python": platform.python_version(),
        "nbflow": _version.__version__,
    }


def _directory() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "a directory that was deleted"
