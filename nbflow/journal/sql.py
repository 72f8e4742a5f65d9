"""Own the questions that people put to a journal in SQL: the views they may ask, and the refusal of the rest.

That is held by SQLite itself, not by a look at the text: the connection is read-only, and a guard is asked
about everything that a statement would do.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final, overload

from nbflow.errors import QueryError
from nbflow.journal.grid import aligned, html_table
from nbflow.journal.runs import connect, locate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Answer", "ask", "views"]

MOST_ROWS: Final = 1_000_000
SHOWN_ROWS = 60
SHOWN_LENGTH = 60
STEPS_BETWEEN_SIGNALS = 50_000
"""Steps of SQLite, about a millisecond, after which Python may look whether somebody pressed Ctrl-C."""

READ_ONLY = "only SELECT is answered: a journal is read here, and never changed"

_FORBIDDEN = frozenset((sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY))
_ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


@final
class Answer(Sequence[tuple[Any, ...]]):
    """Be the rows of an answer, with the names of their `columns`; shows itself as a table."""

    def __init__(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self.columns = tuple(columns)
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Answer: ...
    def __getitem__(self, index: int | slice) -> tuple[Any, ...] | Answer:
        if isinstance(index, slice):
            return Answer(self.columns, self._rows[index])
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def to_frame(self) -> pd.DataFrame:
        """Make a pandas data frame of it."""
        import pandas as pd

        return pd.DataFrame(list(self._rows), columns=list(self.columns))

    def to_values(self) -> list[dict[str, Any]]:
        """Sort out each row for JSON: its values by the names of their columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]

    def to_text(self, rows: int = SHOWN_ROWS) -> str:
        """Write the first `rows` as aligned lines, and how many there are beside."""
        return "\n".join([aligned([self.columns, *self._cells(rows)]), *self._rest(rows)])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        rest = "".join(f"<p>{line}</p>" for line in self._rest(SHOWN_ROWS))
        return html_table(self.columns, self._cells(SHOWN_ROWS)) + rest

    def _cells(self, rows: int) -> list[list[str]]:
        return [list(map(_shown, row)) for row in self._rows[:rows]]

    def _rest(self, rows: int) -> Iterator[str]:
        if not self._rows:
            yield "no rows"
        elif len(self._rows) > rows:
            yield f"... and {len(self._rows) - rows:,} more"


def ask(run: Path | str, query: str) -> Answer:
    """Answer a SELECT over the views of a run's journal (`tasks`, `attempts`, `failures` ...).

    `run` is what `open_run` takes. Raises JournalError for no such run, QueryError for what is no SELECT, has
    a mistake, or has over a million rows. Ctrl-C ends a query that takes long.
    """
    connection = connect(locate(run))
    try:
        _lay_out(connection)
        text = query.strip().rstrip(";")
        connection.execute(f"EXPLAIN {text}")  # compiles it, and asks the guard: it is one whole SELECT
        columns = _columns(connection, text)
        return Answer(columns, _rows(connection, text, len(columns)))
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None  # what `_let_signals_in` raised is but a stop to SQLite
        reason = READ_ONLY if code in _FORBIDDEN else str(error)
        raise QueryError(f"{reason}\n  {query.strip()}") from error
    finally:
        connection.close()


def views() -> list[str]:
    """Return the names of the views that can be asked."""
    return re.findall(r"^CREATE TEMP VIEW (\w+)", _text(), re.M)


def _text() -> str:
    return resources.files("nbflow.journal").joinpath("views.sql").read_text(encoding="utf-8")


def _lay_out(connection: sqlite3.Connection) -> None:
    """Make the views, then allow nothing any more but to read."""
    # They are this connection's own, in memory: the file is open for reading only.
    connection.executescript(f"PRAGMA temp_store = MEMORY; PRAGMA query_only = 0; {_text()}")
    connection.execute("PRAGMA query_only = 1")
    connection.set_authorizer(_guard)
    connection.set_progress_handler(_let_signals_in, STEPS_BETWEEN_SIGNALS)


def _guard(action: int, first: str | None, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _let_signals_in() -> int:
    return 0


def _columns(connection: sqlite3.Connection, query: str) -> list[str]:
    described = connection.execute(f"SELECT * FROM (\n{query}\n) LIMIT 0").description
    return [name for name, *_ in described]


def _rows(connection: sqlite3.Connection, query: str, width: int) -> list[tuple[Any, ...]]:
    """Return all rows, packed into one text on their way: see `Reader._ask` for why."""
    names = [f"column{number}" for number in range(width)]
    values = ", ".join(f"CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE {name} END" for name in names)
    ((text,),) = connection.execute(
        f"WITH answer({', '.join(names)}) AS (\n{query}\n) "
        f"SELECT json_group_array(json_array({values})) FROM (SELECT * FROM answer LIMIT {MOST_ROWS + 1})"
    ).fetchall()
    rows = [tuple(row) for row in json.loads(text)]
    if len(rows) > MOST_ROWS:
        raise QueryError(f"the answer has over {MOST_ROWS:,} rows: count, group, or add a LIMIT")
    return rows


def _shown(value: object) -> str:
    text = "" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_LENGTH else f"{line[: SHOWN_LENGTH - 3]}..."
