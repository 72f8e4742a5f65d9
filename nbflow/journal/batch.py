"""Own the rows that wait to be written. It writes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar, final

from nbflow.journal.rows import AppRow, CellRow, EdgeRow, EventRow, FileRow, OutputRow, TaskRow, UsageRow

__all__ = ["Batch", "Rows"]

Row = TypeVar("Row", bound=tuple[Any, ...])


@final
class Rows(Generic[Row]):
    """Hold rows of one table as one flat list of their values.

    A list of tuples would leave an object for each row to Python's garbage collector, which looks at all of
    them again and again: a fifth of what a short task costs. `append` is the list's own `extend`; whoever
    fills a table may keep it, and give it plain tuples.
    """

    __slots__ = ("_kind", "append", "values", "width")

    def __init__(self, kind: Callable[..., Row], width: int) -> None:
        self._kind = kind
        self.width = width
        self.values: list[Any] = []
        self.append: Callable[[Row], None] = self.values.extend

    def extend(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        for row in rows:
            self.append(row)

    def __iadd__(self, rows: Iterable[Row]) -> Rows[Row]:
        self.extend(rows)
        return self

    def __len__(self) -> int:
        return len(self.values) // self.width

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self.values), self.width):
            yield self._kind(*self.values[start : start + self.width])

    def absorb(self, later: Rows[Row]) -> None:
        """Move all rows of `later` behind these."""
        self.values += later.values
        later.values.clear()

    def drop(self, count: int) -> None:
        """Forget the first `count` rows."""
        del self.values[: count * self.width]

    def mend(self) -> None:
        """Rewrite every value that no column can take."""
        self.values[:] = map(_mended, self.values)


@final
class Batch:
    """Hold rows by table, in the order in which they must be written.

    The eight tables stay the same objects for life.
    """

    __slots__ = ("apps", "cells", "edges", "events", "files", "outputs", "tasks", "usage")

    def __init__(self) -> None:
        self.apps = Rows(AppRow, len(AppRow._fields))
        self.tasks = Rows(TaskRow, len(TaskRow._fields))
        self.cells = Rows(CellRow, len(CellRow._fields))
        self.edges = Rows(EdgeRow, len(EdgeRow._fields))
        self.files = Rows(FileRow, len(FileRow._fields))
        self.events = Rows(EventRow, len(EventRow._fields))
        self.outputs = Rows(OutputRow, len(OutputRow._fields))
        self.usage = Rows(UsageRow, len(UsageRow._fields))

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.tables())

    def tables(self) -> Iterator[tuple[str, Rows[Any]]]:
        """Give each table's name and waiting rows."""
        yield "apps", self.apps
        yield "tasks", self.tasks
        yield "cells", self.cells
        yield "edges", self.edges
        yield "files", self.files
        yield "events", self.events
        yield "outputs", self.outputs
        yield "usage", self.usage

    def take(self) -> Batch:
        """Move all rows into a new batch."""
        taken = Batch()
        taken.absorb(self)
        return taken

    def absorb(self, later: Batch) -> None:
        """Move all rows of `later` behind these."""
        for (_, rows), (_, more) in zip(self.tables(), later.tables(), strict=True):
            if more:
                rows.absorb(more)

    def trim(self, bound: int) -> int:
        """Drop rows until at most `bound` are left, what is missed least first; return how many were dropped.

        Outputs go first, then the oldest events: the newest say where tasks stand.
        """
        before = len(self)
        for rows in (self.outputs, self.usage, self.events, self.files, self.edges, self.tasks):
            excess = len(self) - bound
            if excess > 0:
                rows.drop(excess)
        return before - len(self)

    def mend(self) -> None:
        """Rewrite every value that no column can take."""
        for _, rows in self.tables():
            rows.mend()


def _mended(value: Any) -> Any:
    """Return a value that SQLite takes: lone surrogates are escaped, strange objects are named."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int() if not -(2**63) <= value < 2**63:
            return str(value)
        case None | int() | float():
            return value
        case _:
            return f"<{type(value).__name__}>"
