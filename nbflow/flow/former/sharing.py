"""Own the file of all that a run, and the runs that it went on from, finished: written here, taken in there.

Values are passed on as they lie: nothing is unpickled on the way.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbflow.errors import ResultsError
from nbflow.flow.former.past import (
    APART,
    DONE,
    START,
    Left,
    Result,
    chain,
    find_results,
    index_of,
    own_key,
    read_results,
    results_path,
)
from nbflow.journal.places import make_private, new_run_id
from nbflow.memo.results import ResultsFile, digest_of_data

__all__ = ["export_results", "import_results"]

BLOCK_RESULTS, BLOCK_NBYTES = 1000, 16 * 2**20
"""A block is closed when it has so many results, or so many bytes of data."""


def export_results(run: str | os.PathLike[str], path: str | os.PathLike[str]) -> int:
    """Write what a run and those before it finished into one new file; return how many results there are.

    `run` is a run as `nbflow ps` lists it, 'last', or its folder. `nbflow.load(resume=path)` goes on from the
    file. Files that bash apps wrote are not in it. Raises ResultsError when there are no such results, or the
    file is there or cannot be written.
    """
    return _copy(chain(find_results(run)), Path(path).expanduser())


def import_results(path: str | os.PathLike[str], *, trust: bool = False) -> str:
    """Take in the results of an exported file; return the name of the run that they are kept as.

    `nbflow.load(resume=name)` goes on from them. What this user did not write on this machine is refused,
    unless `trust` says to believe it: values are unpickled when calls are bound to them, and who wrote them
    can run any code by that. Raises ResultsError.
    """
    found = read_results(Path(path).expanduser(), is_trusted=trust)
    run = new_run_id()
    target = results_path(run)
    make_private(target.parent)
    _copy([found], target)
    return run


def _copy(runs: Iterable[Left], path: Path) -> int:
    """Write results as one file that is there whole or not at all."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        file = ResultsFile(half, own_key())
        try:
            file.append(index_of(START, ("", "", time.time_ns(), "")))
            count = sum(_append(file, left.results) for left in runs)
            file.sync()
        finally:
            file.close()
        os.link(half, path)
    except OSError as error:
        raise ResultsError(
            f"{path} cannot be written: {error.strerror or error}; name another file"
        ) from error
    finally:
        half.unlink(missing_ok=True)
    return count


def _append(file: ResultsFile, results: Iterable[Result]) -> int:
    """Append results to a file; return how many. One that was damaged is left out."""
    count, nbytes = 0, 0
    rows: list[tuple[Any, ...]] = []
    data: list[bytes] = []
    for result in results:
        finished = result.finished
        if finished.codec == APART:
            try:
                piece = result.data()
            except ResultsError:
                continue
            finished = finished._replace(value=(nbytes, len(piece), digest_of_data(piece)))
            data.append(piece)
            nbytes += len(piece)
        rows.append(tuple(finished))
        count += 1
        if len(rows) == BLOCK_RESULTS or nbytes >= BLOCK_NBYTES:
            file.append(index_of(DONE, rows), data)
            rows, data, nbytes = [], [], 0
    file.append(index_of(DONE, rows), data)
    return count
