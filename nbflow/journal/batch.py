"""Own the rows that wait to be written. It writes nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self, final

from nbflow.journal.rows import AppRow, EdgeRow, EventRow, OutputRow, TaskRow

__all__ = ["Batch", "mended"]


@final
class Batch:
    """Hold rows by table, in the order in which they must be written.

    The five lists stay the same objects for life: whoever fills a batch may keep their `append`.
    """

    __slots__ = ("apps", "edges", "events", "outputs", "tasks")

    def __init__(self) -> None:
        self.apps: list[AppRow] = []
        self.tasks: list[TaskRow] = []
        self.edges: list[EdgeRow] = []
        self.events: list[EventRow] = []
        self.outputs: list[OutputRow] = []

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.tables())

    def tables(self) -> Iterator[tuple[str, list[Any]]]:
        """Give each table's name and waiting rows."""
        yield "apps", self.apps
        yield "tasks", self.tasks
        yield "edges", self.edges
        yield "events", self.events
        yield "outputs", self.outputs

    def take(self) -> Batch:
        """Move all rows into a new batch."""
        taken = Batch()
        taken.absorb(self)
        return taken

    def absorb(self, later: Self) -> None:
        """Move all rows of `later` behind these."""
        for (_, rows), (_, more) in zip(self.tables(), later.tables(), strict=True):
            if more:
                rows.extend(more)
                more.clear()

    def trim(self, bound: int) -> int:
        """Drop rows until at most `bound` are left, what is missed least first; return how many were dropped.

        Outputs go first, then the oldest events: the newest say where tasks stand.
        """
        before = len(self)
        for rows in (self.outputs, self.events, self.edges, self.tasks):
            excess = len(self) - bound
            if excess > 0:
                del rows[:excess]
        return before - len(self)

    def mend(self) -> None:
        """Rewrite every value that no column can take."""
        for _, rows in self.tables():
            rows[:] = [mended(row) for row in rows]


def mended(row: Sequence[Any]) -> tuple[Any, ...]:
    """Copy `row` with values that SQLite takes: lone surrogates are escaped, strange objects are named."""
    return tuple(_mended_value(value) for value in row)


def _mended_value(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int() if not -(2**63) <= value < 2**63:
            return str(value)
        case None | int() | float():
            return value
        case _:
            return f"<{type(value).__name__}>"
