"""Own the tables that a reader answers with: one line for each task, as text, HTML or a data frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, final, overload

from nbflow.core.states import State
from nbflow.journal.grid import aligned, html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "TaskRecord"]

SHOWN_ROWS = 60
"""How many lines a table shows by itself: nobody reads ten thousand."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """Say how one task stands. Times are seconds since the epoch, `seconds` is the run time of its last try.

    `error` is the type of the exception of its last failure and `message` its text, also while it waits for
    another try. `root` is the task whose failure it was, where that is another one. `origin` is where the app
    was called; for a notebook's cell `notebook`, `cell_id`, `execution_count` and `source_hash` say more.
    """

    task: int
    app: str
    label: str
    call: str
    state: State
    try_id: int
    submitted: float
    started: float | None
    finished: float | None
    seconds: float | None
    slot: str | None
    error: str | None
    message: str | None
    root: int | None
    origin: str | None
    spawner: int | None
    notebook: str | None
    cell_id: str | None
    execution_count: int | None
    source_hash: str | None

    @property
    def why(self) -> str:
        """Say in one line what went wrong; empty when nothing did."""
        error, message = self.error or "", self.message or ""
        if self.root not in (None, self.task):
            return f"task {self.root} failed: {error}" if error else f"task {self.root} was {message}"
        # What came with a traceback names the error already.
        line = message if message.startswith(error) else f"{error}: {message}"
        return " ".join((line or error).split())

    def to_values(self) -> dict[str, Any]:
        """Sort out all fields for JSON."""
        return asdict(self) | {"state": self.state.name.lower()}


_COLUMNS: dict[str, Callable[[TaskRecord], str]] = {
    "task": lambda record: str(record.task),
    "app": lambda record: record.label or record.app,
    "state": lambda record: record.state.name.lower(),
    "try": lambda record: str(record.try_id),
    "submitted": lambda record: time.strftime("%H:%M:%S", time.localtime(record.submitted)),
    "seconds": lambda record: "" if record.seconds is None else f"{record.seconds:.3f}",
    "slot": lambda record: record.slot or "",
    "call": lambda record: _short(record.call, 48),
    "error": lambda record: _short(record.why, 60),
}


@final
class Table(Sequence[TaskRecord]):
    """Be a list of tasks that shows itself well."""

    def __init__(self, records: Sequence[TaskRecord]) -> None:
        self._records = records

    @overload
    def __getitem__(self, index: int) -> TaskRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Table: ...
    def __getitem__(self, index: int | slice) -> TaskRecord | Table:
        if isinstance(index, slice):
            return Table(self._records[index])
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[TaskRecord]:
        return iter(self._records)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        if not self._records:
            return "<p>no tasks</p>"
        rest = "".join(f"<p>{line}</p>" for line in self._rest(SHOWN_ROWS))
        return html_table(list(_COLUMNS), self._cells(SHOWN_ROWS)) + rest

    def to_text(self, rows: int = SHOWN_ROWS) -> str:
        """Write the first `rows` tasks as aligned lines, and how many there are beside."""
        if not self._records:
            return "no tasks"
        return "\n".join([aligned([list(_COLUMNS), *self._cells(rows)]), *self._rest(rows)])

    def to_frame(self) -> pd.DataFrame:
        """Make a pandas data frame of all fields, one line for each task, times as UTC timestamps."""
        import pandas as pd

        names = [field.name for field in fields(TaskRecord)]
        frame = pd.DataFrame(
            [[getattr(record, name) for name in names] for record in self._records], columns=names
        )
        frame["state"] = [record.state.name for record in self._records]
        for name in ("submitted", "started", "finished"):
            frame[name] = pd.to_datetime(frame[name].astype("float64"), unit="s", utc=True)
        return frame

    def _cells(self, rows: int) -> list[list[str]]:
        return [[show(record) for show in _COLUMNS.values()] for record in self._records[:rows]]

    def _rest(self, rows: int) -> list[str]:
        hidden = len(self._records) - rows
        return [f"... and {hidden} more"] if hidden > 0 else []


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."
