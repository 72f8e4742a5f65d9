"""Own the rows of the journal: what the flow loop hands over and what readers get back.

Named tuples, because rows are made on the hot path and go into the database as flat tuples. The order of
their fields is the order of the columns. `seq` is one increasing number over `TaskRow` and `EventRow`: a
submission is an event, and has no `EventRow` of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import NamedTuple, final

__all__ = [
    "ARGUMENT",
    "JOIN_CHILD",
    "AppRow",
    "CellRow",
    "Detail",
    "EdgeRow",
    "EventRow",
    "FileRow",
    "OutputRow",
    "TaskRow",
    "UsageRow",
    "seconds_detail",
]

ARGUMENT = 0
"""`EdgeRow.kind`: the child takes the parent's result as an argument."""

JOIN_CHILD = 1
"""`EdgeRow.kind`: the child was returned by the parent, a join app, which waits for it."""

MAX_TRACEBACK_LENGTH = 20_000
MAX_MESSAGE_LENGTH = 2_000


class AppRow(NamedTuple):
    """Describe an app, once in a run. `kind` is python, bash or join; `source` is a bounded text."""

    app: int
    name: str
    kind: str
    module: str
    source: str | None
    line: int | None


class TaskRow(NamedTuple):
    """Describe one submission.

    `time` is in seconds since the epoch. `call` is a bounded repr such as `area(100, seed=3)`. `state` is
    where the task stood after its submission. `spawner` is the join task that made it; `origin` names the
    notebook cell (see `CellRow`) or the `file:line` that called the app.
    """

    task: int
    seq: int
    time: float
    app: int
    label: str
    call: str
    state: int
    spawner: int | None
    origin: str | None


class CellRow(NamedTuple):
    """Describe one run of a notebook cell: `origin` is `In [3]`, as tasks name it.

    `cell_id` is the notebook's own, None in a terminal. `source_hash` is the SHA-256 of the cell's source.
    """

    origin: str
    notebook: str | None
    cell_id: str | None
    execution_count: int
    source_hash: str


class EdgeRow(NamedTuple):
    """Say that two tasks hang together: see `ARGUMENT` and `JOIN_CHILD`."""

    parent: int
    child: int
    kind: int


class FileRow(NamedTuple):
    """Say that a task was given a file to read, or promised to write it; `path` is bounded and local."""

    task: int
    path: str
    is_written: bool


class EventRow(NamedTuple):
    """Say what happened to a task.

    `event` is the name of a class in `nbflow.core.events`, `state` where the task stood afterwards, `detail`
    what `Detail.to_json` wrote.
    """

    seq: int
    time: float
    task: int
    try_id: int
    event: str
    state: int
    detail: str | None


class OutputRow(NamedTuple):
    """Keep what one try wrote to `stream` (stdout or stderr): `nbytes` in all, `text` maybe a part.

    A later row of the same stream takes its place: of a call that runs, it says how far it has come.
    """

    task: int
    try_id: int
    stream: str
    text: str
    nbytes: int


class UsageRow(NamedTuple):
    """Keep what one try used: `cpu_seconds` of processors, `nbytes` of memory at most (None: not known)."""

    task: int
    try_id: int
    cpu_seconds: float
    nbytes: int | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Say more about one event; what does not apply is None.

    `seconds` is the run time of the call, `delay` the wait before the next try. `cause` is a `Cause`, `error`
    the name of the exception's type. `root` is the task whose failure started it, when that is another one.
    `why` tells what there was to choose from when the task went to its slot, or for what a retry was asked.
    With a retry `by` says who asked, and `code` is the app whose function the task runs with from here on.
    """

    slot: str | None = None
    seconds: float | None = None
    cause: str | None = None
    error: str | None = None
    message: str | None = None
    traceback: str | None = None
    root: int | None = None
    delay: float | None = None
    why: str | None = None
    by: str | None = None
    code: int | None = None

    def to_json(self) -> str:
        """Write as one JSON object, without what is None, and bounded: a long traceback keeps its end."""
        told = {
            field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None
        }
        if self.message is not None:
            told["message"] = _head(self.message, MAX_MESSAGE_LENGTH)
        if self.traceback is not None:
            told["traceback"] = _tail(self.traceback, MAX_TRACEBACK_LENGTH)
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> Detail:
        """Read what `to_json` wrote; keys of a newer nbflow are skipped."""
        told = json.loads(text) if text else {}
        return cls(**{key: value for key, value in told.items() if key in _DETAIL_KEYS})


_DETAIL_KEYS = frozenset(field.name for field in fields(Detail))


def seconds_detail(seconds: float) -> str:
    """Write `Detail(seconds=seconds)` as JSON at a tenth of the price: every finished task has one."""
    return f'{{"seconds":{seconds:.6f}}}'


def _head(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]} ..."


def _tail(text: str, length: int) -> str:
    return text if len(text) <= length else f"... {text[-length:]}"
