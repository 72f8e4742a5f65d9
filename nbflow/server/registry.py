"""Own the finding of this user's runs by their whole names. It answers no request, and steers nothing."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

from nbflow.control.client import connect_to
from nbflow.core.states import State
from nbflow.errors import ControlError, JournalError
from nbflow.journal.places import journal_path
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.runs import RunInfo, RunStatus, runs
from nbflow.server.shapes import by_state, run_values

__all__ = ["Registry", "opened", "snapshot"]

RUN_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
PATIENCE_SECONDS = 5.0
LIVE = ("executors", "paused", "trouble", "unfinished")


@contextmanager
def opened(run: str) -> Iterator[Reader]:
    """Open the journal of the run with this whole name; raise JournalError when this user has none."""
    path = journal_path(run) if RUN_NAME.fullmatch(run) else None
    # A link, or another user's file, in a directory that others can write is not ours to read.
    if path is None or not path.is_file() or path.is_symlink() or path.stat().st_uid != os.getuid():
        raise JournalError(f"no run is named {run[:80]!r}; GET nbflow/api/runs lists the runs")
    with open_run(path) as reader:
        yield reader


def snapshot(run: str) -> dict[str, Any]:
    """Tell how a run stands, after a live one has written down what happened until now."""
    with opened(run) as reader:
        info = reader.info()
        live = _live(info)
        seq = reader.last_seq()
        by_app = reader.counts_by("app")
        apps = [{"app": app, "tasks": by_state(counts)} for app, counts in by_app.items()]
        total = sum(by_app.values(), Counter())
        return run_values(info, total) | {"seq": seq, "apps": apps, "live": live}


def _live(info: RunInfo) -> dict[str, Any] | None:
    if info.status is not RunStatus.RUNNING:
        return None
    try:
        with connect_to(info, timeout=PATIENCE_SECONDS) as client:
            status = client.call("status", count=False)
            nodes = client.call("nodes")
    except ControlError:
        return None  # it ends just now, or is stopped: its journal is what there is
    return {key: status[key] for key in LIVE} | {"nodes": nodes}


@final
class Registry:
    """List runs again and again, and count only what is new. For one thread at a time."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}
        self._over: dict[str, dict[str, Any]] = {}

    def list(self, limit: int) -> list[dict[str, Any]]:
        """Return at most `limit` runs with their tasks by state, newest first."""
        found = runs()[:limit]
        names = {info.run for info in found}
        for name in self._readers.keys() - names:
            self._readers.pop(name).close()
        self._over = {name: values for name, values in self._over.items() if name in names}
        return [self._values(info) for info in found]

    def close(self) -> None:
        """Let go of all journals."""
        while self._readers:
            self._readers.popitem()[1].close()

    def _values(self, info: RunInfo) -> dict[str, Any]:
        if info.run in self._over:
            return self._over[info.run]
        values = run_values(info, self._counts(info))
        if info.status is not RunStatus.RUNNING:
            reader = self._readers.pop(info.run, None)
            if reader is not None:
                reader.close()
        if info.status is RunStatus.ENDED:
            self._over[info.run] = values  # nothing changes any more
        return values

    def _counts(self, info: RunInfo) -> Counter[State]:
        try:
            if info.run not in self._readers:
                self._readers[info.run] = open_run(info.path)
            return self._readers[info.run].counts()
        except JournalError:  # one damaged journal must not hide all other runs
            return Counter()
