"""Own what earlier runs finished: which runs came before, what they left, results by what calls they are of.

A run's results lie beside its journal in one file. Its first index says whose they are and what the run goes
on from: all runs of the same notebook that began before it, unless somebody said otherwise.
"""

from __future__ import annotations

import marshal
import os
import pickle
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, final

from nbflow.errors import ConfigError, ResultsError
from nbflow.journal.places import runs_dir, state_dir
from nbflow.memo.places import make_private, user_key
from nbflow.memo.results import read_blocks, read_data

__all__ = [
    "LAST",
    "NOBODY",
    "Finished",
    "Left",
    "Lineage",
    "Past",
    "Result",
    "Sent",
    "Start",
    "chain",
    "find_results",
    "own_key",
    "read_results",
    "results_path",
    "runs_of",
]

RESULTS_NAME = "results"
MOST_RUNS, MOST_RESULTS = 200, 1_000_000
"""So far back is gone: a notebook that was run for years starts in a moment, too."""

LAST = "last"

START, SENT, DONE, FRESH = "start", "sent", "done", "fresh"
"""What an index is about: the run, what it sent away, what it finished, that nothing before it counts."""

PLAIN, PICKLED, APART = range(3)
"""How a value is told: itself, its pickle, or offset, length and digest of its pickle in the block's data."""


class Finished(NamedTuple):
    """Be one result as an index tells of it, written as a plain tuple.

    `place`, `code`, `form` and `parents` say of which call it is; `run` and `task` name this very result.
    `value` is the value, or what `codec` says. `outputs` are the files that the call wrote, with their
    digests.
    """

    run: str
    task: int
    place: str
    code: bytes
    form: bytes
    parents: tuple[Any, ...]
    codec: int
    value: Any
    outputs: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True, slots=True)
class Lineage:
    """Say what is run again, a notebook or a script, and whose results it goes on from.

    `is_chosen`: somebody said so, and what else was run before does not count.
    """

    name: str = ""
    after: Path | None = None
    is_chosen: bool = False


NOBODY = Lineage()


@final
@dataclass(frozen=True, slots=True)
class Start:
    """Say whose results a file holds: the run, its notebook or script, and when it began (ns since 1970).

    It went on from all runs of that notebook before it, or with `after` from just that file; from nothing
    when this is empty.
    """

    run: str
    lineage: str
    began: int
    after: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Result:
    """Be a finished result, and where its data are."""

    finished: Finished
    path: Path
    data_at: int

    @property
    def identity(self) -> tuple[str, int]:
        """Name this very result among all that equal calls may have had."""
        return self.finished.run, self.finished.task

    def data(self) -> bytes:
        """Return the pickled value of one that is not plain. Raises ResultsError when it is damaged."""
        if self.finished.codec == PICKLED:
            return self.finished.value  # type: ignore[no-any-return]
        offset, nbytes, digest = self.finished.value
        return read_data(self.path, self.data_at + offset, nbytes, digest)

    def value(self) -> Any:
        """Return the value, each time anew. Raises ResultsError, and whatever its own code raises."""
        plain = self.finished.codec == PLAIN
        return self.finished.value if plain else pickle.loads(self.data())


class Sent(NamedTuple):
    """Be one try that left for a slot which may outlive its kernel, as an index tells of it.

    It is the try of the call that `place`, `code`, `form` and `parents` say, as in Finished.
    """

    run: str
    task: int
    try_id: int
    slot: str
    place: str
    code: bytes
    form: bytes
    parents: tuple[Any, ...]

    @property
    def identity(self) -> tuple[str, int]:
        """Name the result that it will have."""
        return self.run, self.task


@final
@dataclass(frozen=True, slots=True)
class Left:
    """Be what a file of results holds from an offset on, up to `end`; `is_fresh`: no run before it counts."""

    start: Start | None
    results: list[Result]
    sent: list[Sent]
    is_fresh: bool
    end: int


@final
@dataclass(slots=True)
class Past:
    """Hold results by the place of their calls, those of the newest run first.

    Behind those of a run comes what it had sent away and did not see the end of.
    """

    runs: list[str] = field(default_factory=list)
    by_place: dict[str, list[Result | Sent]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what the run behind `path` finished, and those before it. Raises ResultsError."""
        past = cls()
        runs: dict[str, None] = {}
        finished: set[tuple[str, int]] = set()
        for left in chain(path):
            for result in sorted(left.results, key=lambda result: result.finished.task):
                past.by_place[result.finished.place].append(result)
                runs[result.finished.run] = None
                finished.add(result.identity)
            for sent in {one.task: one for one in left.sent}.values():
                if sent.identity not in finished:
                    past.by_place[sent.place].append(sent)
                    runs[sent.run] = None
            if len(past) > MOST_RESULTS:
                break
        past.runs += runs
        return past

    def at(self, place: str) -> list[Result | Sent]:
        """Return the work of the calls that were made at a place."""
        return self.by_place.get(place, [])

    def __len__(self) -> int:
        return sum(map(len, self.by_place.values()))


def own_key() -> bytes:
    """Return the key that seals this user's results. Raises ResultsError."""
    try:
        make_private(state_dir())
        return user_key(state_dir())
    except (ConfigError, OSError) as error:
        raise ResultsError(
            f"results cannot be sealed with a key in {state_dir()}: {error}. NBFLOW_STATE_DIR names "
            "another place"
        ) from error


def results_path(run: str) -> Path:
    """Name the file of what `run` finished."""
    return runs_dir() / run / RESULTS_NAME


def chain(path: Path) -> Iterator[Left]:
    """Yield what a run left and those that it goes on from, the newest first.

    Raises ResultsError for the first; a file before it that is gone or damaged is not missed.
    """
    todo, lineage = [path], ""
    for number in range(MOST_RUNS):
        if not todo:
            return
        try:
            left = read_results(todo.pop())
        except ResultsError:
            if number == 0:
                raise
            continue
        yield left
        start = left.start
        if start is None:
            continue
        if left.is_fresh or start.after is not None:
            todo, lineage = [Path(start.after)] if start.after and not left.is_fresh else [], ""
        elif start.lineage != lineage:
            todo, lineage = runs_of(start.lineage, start.began), start.lineage


def read_results(path: Path, since: int = 0, *, is_trusted: bool = False) -> Left:
    """Return what a file holds from the offset `since` on. Raises ResultsError.

    It is believed when this user wrote it, or when it `is_trusted`.
    """
    start, results, sent, is_fresh, end = None, list[Result](), list[Sent](), False, since
    for block in read_blocks(path, None if is_trusted else own_key(), since):
        try:
            kind, content = marshal.loads(block.index)
            if kind == START:
                start = Start(*content)
            elif kind == FRESH:
                results.clear()
                sent.clear()
                is_fresh = True
            elif kind == SENT:
                sent.extend(map(Sent._make, content))
            elif kind == DONE:
                results.extend([Result(Finished._make(told), path, block.data_at) for told in content])
        except (ValueError, TypeError, EOFError) as error:  # its seal was right, or nobody looked at it
            raise ResultsError(
                f"the results {path} were damaged, or are of another version: {error}"
            ) from error
        end = block.end
    return Left(start, results, sent, is_fresh, end)


def runs_of(lineage: str | None, before: int | None = None) -> list[Path]:
    """Return the results of all runs of a notebook or script, the oldest first; of any with None.

    With `before` only those that had begun then. What cannot be read is passed over.
    """
    found = []
    for path in runs_dir().glob(f"*/{RESULTS_NAME}") if lineage != "" else ():
        try:
            start = _read_start(path)
        except ResultsError:
            continue
        if lineage in (None, start.lineage) and (before is None or start.began < before):
            found.append((start.began, path))
    return [path for _, path in sorted(found)]


def _read_start(path: Path) -> Start:
    block = next(read_blocks(path, own_key()), None)
    if block is not None:
        with suppress(ValueError, TypeError, EOFError):
            kind, content = marshal.loads(block.index)
            if kind == START:
                return Start(*content)
    raise ResultsError(f"the results {path} say nothing about their run")


def find_results(run: str | os.PathLike[str]) -> Path:
    """Return the results that somebody means: a run's name or the start of it, its folder, an exported file.

    'last' is the run that began last, whatever it was of. Raises ResultsError for none, and for several.
    """
    path = Path(run).expanduser()
    if path.is_dir() and (path / RESULTS_NAME).is_file():
        return path / RESULTS_NAME
    if path.is_file():
        return path.absolute()
    name = os.fspath(run)
    if name == LAST:
        exact = runs_of(None)[-1:]
    else:
        found = [] if os.sep in name else sorted(runs_dir().glob(f"{name}*/{RESULTS_NAME}"))
        exact = [one for one in found if one.parent.name == name] or found
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise ResultsError(f"{name!r} is the start of {len(exact)} runs; type more of it")
    raise ResultsError(f"no run {name!r} left results, and no such file is there; `nbflow ps` lists the runs")


def index_of(kind: str, content: Any) -> bytes:
    """Write an index, of plain values only, in the form that every Python of today reads."""
    return marshal.dumps((kind, content), 4)
