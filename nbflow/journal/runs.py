"""Own the finding of runs: which there are on this machine, how each stands, and the short names for them.

It opens journals for reading only, and never removes one.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, final

import psutil

from nbflow.errors import JournalError
from nbflow.journal.database import APPLICATION_ID, SCHEMA_VERSION
from nbflow.journal.places import JOURNAL_NAME, runs_dir

__all__ = ["RunInfo", "RunStatus", "connect", "find_run", "locate", "read_info", "runs"]

START_TOLERANCE_SECONDS = 5.0
"""By how much two readings of a process's start may differ, because the clock was set in between; a process
that got the number of a dead one started later than that."""


@final
class RunStatus(StrEnum):
    """Say how a run stands."""

    RUNNING = "running"
    """Its process is alive."""
    ENDED = "ended"
    """It was closed; `RunInfo.outcome` says how."""
    DIED = "died"
    """Its process is gone and never closed it."""
    ELSEWHERE = "elsewhere"
    """It was not closed, and its process is on another machine: nobody here can tell."""
    UNREADABLE = "unreadable"
    """Its journal cannot be read; `RunInfo.problem` says why."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Describe one run; times are in seconds since the epoch. `info` is all that was noted about it."""

    run: str
    path: Path | str
    status: RunStatus
    started: float
    ended: float | None = None
    outcome: str = ""
    program: str = ""
    host: str = ""
    pid: int = 0
    problem: str = ""
    info: dict[str, Any] = field(default_factory=dict)


def runs() -> list[RunInfo]:
    """List all runs of this user, newest first; a journal that cannot be read is listed with its problem."""
    return sorted(
        map(_describe, runs_dir().glob(f"*/{JOURNAL_NAME}")), key=lambda run: run.started, reverse=True
    )


def locate(run: Path | str) -> Path | str:
    """Find the journal of `run`: a path, an SQLite address, a run's name or the start of it, or `last`.

    Raises JournalError when there is none, or more than one.
    """
    if isinstance(run, Path) or os.sep in run or run.startswith("file:"):
        return _as_file(run)
    if run == "last":
        return _last()
    return _by_name(run)


def find_run(run: Path | str) -> RunInfo:
    """Describe one run, named as `locate` takes it; raise JournalError as that does."""
    address = locate(run)
    connection = connect(address)
    try:
        return read_info(connection, address)
    finally:
        connection.close()


def connect(address: Path | str) -> sqlite3.Connection:
    """Open the journal at `address` for reading; raise JournalError if it is none, or of another version."""
    if isinstance(address, Path) and not address.is_file():
        raise JournalError(
            f"there is no journal at {address}: none was written there, or it was deleted. "
            "`nbflow ps` lists the runs"
        )
    uri = f"{address.absolute().as_uri()}?mode=ro" if isinstance(address, Path) else address
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        # `read_uncommitted` matters in memory only: there a reader would make the writer wait.
        connection.executescript("PRAGMA query_only = 1; PRAGMA read_uncommitted = 1")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(f"{address} cannot be read as a journal: {error}") from error
    if application != APPLICATION_ID:
        connection.close()
        raise JournalError(f"{address} is not a journal of nbflow")
    if version != SCHEMA_VERSION:
        connection.close()
        newer = "a newer" if version > SCHEMA_VERSION else "an older"
        raise JournalError(f"{address} was written by {newer} nbflow (version {version} of the journal)")
    return connection


def read_info(connection: sqlite3.Connection, address: Path | str) -> RunInfo:
    """Read what is known of the run as a whole, and if it lives; raise JournalError if that is damaged."""
    try:
        info = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM info")}
        return RunInfo(
            run=info["run"],
            path=address,
            status=_status(info),
            started=info["started"],
            ended=info.get("ended"),
            outcome=info.get("outcome", ""),
            program=info["program"],
            host=info["host"],
            pid=info["pid"],
            info=info,
        )
    except (sqlite3.Error, LookupError, ValueError) as error:
        raise JournalError(f"the journal {address} is damaged: {error}") from error


def _describe(path: Path) -> RunInfo:
    try:
        return find_run(path)
    except JournalError as error:
        return RunInfo(
            run=path.parent.name,
            path=path,
            status=RunStatus.UNREADABLE,
            started=path.stat().st_mtime,
            problem=str(error),
        )


def _status(info: dict[str, Any]) -> RunStatus:
    if "ended" in info:
        return RunStatus.ENDED
    if info["host"] != platform.node():
        return RunStatus.ELSEWHERE
    try:
        started = psutil.Process(info["pid"]).create_time()
    except psutil.NoSuchProcess:
        return RunStatus.DIED
    is_same = abs(started - info["process_started"]) < START_TOLERANCE_SECONDS
    return RunStatus.RUNNING if is_same else RunStatus.DIED


def _as_file(run: Path | str) -> Path | str:
    if isinstance(run, str) and run.startswith("file:"):
        return run
    path = Path(run)
    return path / JOURNAL_NAME if path.is_dir() else path


def _last() -> Path | str:
    readable = [run for run in runs() if run.status is not RunStatus.UNREADABLE]
    if not readable:
        raise JournalError(f"there is no run in {runs_dir()} yet")
    return readable[0].path


def _by_name(name: str) -> Path:
    found = sorted(path for path in runs_dir().glob(f"*/{JOURNAL_NAME}") if path.parent.name.startswith(name))
    exact = [path for path in found if path.parent.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        names = ", ".join(path.parent.name for path in found[:5])
        raise JournalError(f"{name!r} is the start of {len(found)} runs: {names}; type more of it")
    raise JournalError(f"no run is named {name!r}; `nbflow ps` lists the runs")
