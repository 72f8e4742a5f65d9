"""Own the grouping of failures: by error, the innermost line of a user's code, and what is behind it. Pure.

What is behind a failure is told by the journal's own rows; nothing is run, and nothing looked at beside them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, final

from nbflow.core.states import Cause, State
from nbflow.journal.rows import Detail
from nbflow.journal.table import TaskRecord

if TYPE_CHECKING:
    from nbflow.journal.reader import Reader

__all__ = ["FailureGroup", "Reason", "group_failures", "innermost_frame", "read_groups", "reason_of"]


@final
class Reason(StrEnum):
    """Name what is behind a failure."""

    USER_ERROR = "user error"
    MISSING_PACKAGE = "missing package"
    OUT_OF_MEMORY = "out of memory"
    WALLTIME = "walltime"
    LOST_NODE = "lost node"
    MISSING_FILE = "missing file"


ADVICE: Mapping[Reason, str] = {
    Reason.USER_ERROR: "edit the function, then group.retry(); group.debug() shows where it failed",
    Reason.MISSING_PACKAGE: "install it where the tasks run, then group.retry()",
    Reason.OUT_OF_MEMORY: "group.retry(memory='16GB')",
    Reason.WALLTIME: "group.retry(walltime=3600)",
    Reason.LOST_NODE: "group.retry(), or elsewhere: group.retry(sites=['other'])",
    Reason.MISSING_FILE: "put the file there, then group.retry(); or go on without: group.skip(None)",
}

_BY_CAUSE = {
    Cause.OOM: Reason.OUT_OF_MEMORY,
    Cause.TIMEOUT: Reason.WALLTIME,
    Cause.EXPIRED: Reason.WALLTIME,
    Cause.STAGING: Reason.MISSING_FILE,
}
_BY_ERROR = {
    "MemoryError": Reason.OUT_OF_MEMORY,
    "OutOfMemoryError": Reason.OUT_OF_MEMORY,
    "_ArrayMemoryError": Reason.OUT_OF_MEMORY,
    "AppTimeout": Reason.WALLTIME,
    "BlockTooShort": Reason.WALLTIME,
    "ModuleNotFoundError": Reason.MISSING_PACKAGE,
    "PackageNotFoundError": Reason.MISSING_PACKAGE,
    "EnvMismatch": Reason.MISSING_PACKAGE,
    "FileNotFoundError": Reason.MISSING_FILE,
    "MissingOutputs": Reason.MISSING_FILE,
    "SiteFileMissing": Reason.MISSING_FILE,
}
_IN_MESSAGE = (
    (re.compile(r"out of memory|oom[- ]?kill|bad_alloc|cannot allocate memory", re.I), Reason.OUT_OF_MEMORY),
    (
        re.compile(r"no module named|command not found|cannot open shared object", re.I),
        Reason.MISSING_PACKAGE,
    ),
    (re.compile(r"no such file or directory", re.I), Reason.MISSING_FILE),
)
_SPEAKS_FOR_ANOTHER = frozenset(("BashExitFailure", "RemoteError", "RuntimeError", "OSError", "WorkerLost"))
"""Errors whose message tells what went wrong; that of others may quote anything."""

_FRAME = re.compile(
    r'^  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)\n(?:    (?P<text>.+))?', re.M
)
_LIBRARY = re.compile(r"site-packages|dist-packages|/lib/python\d|/nbflow/|^<frozen ")
_CELL = re.compile(r"ipykernel_\d+|^<(?:ipython-input|stdin|string)|In \[\d+\]")
_MISSING = re.compile(r"No module named '?([\w.]+)|(\S+): command not found")


@final
@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Be the tasks that failed for one reason; `blocked` counts those that were not run because of them.

    `place` is where in the user's code, as `fit in model.py: loss.backward()`; `message` is the first one.
    """

    reason: Reason
    error: str
    message: str
    place: str
    tasks: tuple[TaskRecord, ...]
    blocked: int

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the tasks."""
        return [one.task for one in self.tasks]

    @property
    def advice(self) -> str:
        """Say what helps."""
        return ADVICE[self.reason]

    def to_values(self) -> dict[str, Any]:
        """Sort out all fields for JSON; of the tasks their numbers."""
        return {
            "reason": str(self.reason),
            "error": self.error,
            "message": self.message,
            "place": self.place,
            "apps": sorted({one.app for one in self.tasks}),
            "tasks": self.numbers,
            "blocked": self.blocked,
            "advice": self.advice,
        }


def group_failures(
    failed: Iterable[TaskRecord], details: Mapping[int, Detail], blocked: Iterable[TaskRecord] = ()
) -> list[FailureGroup]:
    """Group tasks that failed by themselves, the largest group first.

    `details` tells of the last failure of each task; `blocked` are tasks that failed because of others.
    """
    groups: dict[tuple[Reason, str, str], list[TaskRecord]] = {}
    for record in failed:
        detail = details.get(record.task) or Detail(error=record.error, message=record.message)
        reason = reason_of(detail)
        place = _PLACES.get(reason, _place_in_code)(record, detail)
        groups.setdefault((reason, detail.error or "", place), []).append(record)
    held_up = Counter(record.root for record in blocked)
    found = [
        FailureGroup(
            reason, error, tasks[0].why, place, tuple(tasks), sum(held_up[one.task] for one in tasks)
        )
        for (reason, error, place), tasks in groups.items()
    ]
    return sorted(found, key=lambda group: -(len(group.tasks) + group.blocked))


def read_groups(reader: Reader) -> list[FailureGroup]:
    """Return the groups of the failures in a journal."""
    failed = [one for one in reader.tasks(state=State.FAILED) if one.root in (None, one.task)]
    blocked = [one for state in (State.UPSTREAM_FAILED, State.HELD) for one in reader.tasks(state=state)]
    return group_failures(failed, reader.last_failures(), blocked)


def reason_of(detail: Detail) -> Reason:
    """Return what is behind one failure, as far as it tells."""
    cause, error, message = detail.cause, detail.error or "", detail.message or ""
    known = _BY_CAUSE.get(Cause(cause)) if cause in set(Cause) else None
    known = known or _BY_ERROR.get(error)
    if known is None and error in _SPEAKS_FOR_ANOTHER:
        known = next((reason for pattern, reason in _IN_MESSAGE if pattern.search(message)), None)
    if known is None and (cause == Cause.LOST or error == "WorkerLost"):
        return Reason.LOST_NODE
    return known or Reason.USER_ERROR


def innermost_frame(traceback: str) -> str:
    """Return the last frame of a user's own code, without what differs between machines and cells' runs."""
    place = ""
    for found in _FRAME.finditer(traceback):
        if _LIBRARY.search(found["file"]):
            continue
        is_cell = _CELL.search(found["file"])
        file = "a cell" if is_cell else found["file"].rpartition("/")[2]
        place = f"{found['function']} in {file}: {found['text'] or 'line ' + found['line']}"
    return place


def _place_in_code(record: TaskRecord, detail: Detail) -> str:
    return innermost_frame(detail.traceback or "") or record.app


def _missing(record: TaskRecord, detail: Detail) -> str:
    """Return what is missing: it is the same wherever it is imported."""
    found = _MISSING.search(detail.message or "")
    return (found[1] or found[2]) if found else record.app


_PLACES: Mapping[Reason, Callable[[TaskRecord, Detail], str]] = {
    Reason.MISSING_PACKAGE: _missing,
    # Where in its code a task was when these struck says nothing.
    Reason.OUT_OF_MEMORY: lambda record, detail: record.app,
    Reason.WALLTIME: lambda record, detail: record.app,
    Reason.LOST_NODE: lambda record, detail: record.app,
}
