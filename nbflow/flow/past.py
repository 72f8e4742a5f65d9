"""Own what earlier runs finished: which run came before, what it left, results by what calls they are of.

A run's results lie beside its journal in one file. Its first index says whose they are and which run it goes
on from; so the newest run of a notebook leads to all before it.
"""

from __future__ import annotations

import marshal
import os
import pickle
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, final

from nbflow.errors import ResultsError
from nbflow.journal.places import runs_dir, state_dir
from nbflow.memo.places import make_private, user_key
from nbflow.memo.results import read_blocks, read_data

__all__ = [
    "Finished",
    "Past",
    "Result",
    "Start",
    "find_results",
    "latest",
    "own_key",
    "read_results",
    "read_start",
]

RESULTS_NAME = "results"
MOST_RUNS = 200
"""So many runs are gone back."""

START, DONE, FRESH = "start", "done", "fresh"
"""What an index is about: the run, what it finished, that nothing before it counts any longer."""

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
class Start:
    """Say whose results a file holds: the run, its notebook or script, and the results before it."""

    run: str
    lineage: str
    after: str = ""


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


@final
@dataclass(slots=True)
class Past:
    """Hold results by the place of their calls, those of the newest run first."""

    runs: list[str] = field(default_factory=list)
    by_place: dict[str, list[Result]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what the run behind `path` finished, and those before it. Raises ResultsError."""
        past = cls()
        for results in chain(path):
            for result in results:
                past.by_place[result.finished.place].append(result)
                if result.finished.run not in past.runs:
                    past.runs.append(result.finished.run)
        return past

    def at(self, place: str) -> list[Result]:
        """Return the results of the calls that were made at a place."""
        return self.by_place.get(place, [])

    def __len__(self) -> int:
        return sum(map(len, self.by_place.values()))


def own_key() -> bytes:
    """Return the key that seals this user's results. Raises ConfigError."""
    make_private(state_dir())
    return user_key(state_dir())


def results_path(run: str) -> Path:
    """Name the file of what `run` finished."""
    return runs_dir() / run / RESULTS_NAME


def chain(path: Path) -> Iterator[list[Result]]:
    """Yield the results of a run and of those before it, the newest first."""
    for number in range(MOST_RUNS):
        try:
            start, results, is_fresh = read_results(path)
        except ResultsError:
            if number == 0:
                raise
            return  # it was removed, or damaged: what lies before it is not missed
        yield sorted(results, key=lambda result: result.finished.task)
        if is_fresh or not start.after:
            return
        path = Path(start.after) if os.sep in start.after else results_path(start.after)


def read_results(path: Path, since: int = 0) -> tuple[Start, list[Result], bool]:
    """Return what a file begins with, the results in it, and whether those before it are not to be used.

    Raises ResultsError.
    """
    start, results, is_fresh = Start("", ""), list[Result](), False
    for block in read_blocks(path, own_key()):
        kind, content = marshal.loads(block.index)
        if kind == START:
            start = Start(*content)
        elif kind == FRESH:
            results.clear()
            is_fresh = True
        elif kind == DONE:
            results.extend(Result(Finished._make(told), path, block.data_at) for told in content)
    return start, results, is_fresh


def read_start(path: Path) -> Start:
    """Return whose results a file holds. Raises ResultsError."""
    for block in read_blocks(path, own_key()):
        kind, content = marshal.loads(block.index)
        if kind == START:
            return Start(*content)
        break
    raise ResultsError(f"the results {path} say nothing about their run")


def latest(lineage: str) -> Path | None:
    """Return the results of the newest run of a notebook or script."""
    for path in sorted(runs_dir().glob(f"*/{RESULTS_NAME}"), reverse=True):
        try:
            if read_start(path).lineage == lineage:
                return path
        except ResultsError:
            continue
    return None


def find_results(run: str | os.PathLike[str]) -> Path:
    """Return the results that somebody means: a run's name or the start of it, its folder, an exported file.

    Raises ResultsError when there are none, or several.
    """
    path = Path(run).expanduser()
    if path.is_dir() and (path / RESULTS_NAME).is_file():
        return path / RESULTS_NAME
    if path.is_file():
        return path.absolute()
    name = os.fspath(run)
    found = [] if os.sep in name else sorted(runs_dir().glob(f"{name}*/{RESULTS_NAME}"))
    exact = [one for one in found if one.parent.name == name] or found
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise ResultsError(f"{name!r} is the start of {len(exact)} runs; type more of it")
    raise ResultsError(f"no run {name!r} left results, and no such file is there; `nbflow ps` lists the runs")


def index_of(kind: str, content: Any) -> bytes:
    """Write an index, of plain values only."""
    return marshal.dumps((kind, content))
