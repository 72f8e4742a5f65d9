"""Own the question which notebook or script this is, and whose results it goes on from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbflow.flow.cells import notebook_path
from nbflow.flow.past import find_results, latest

__all__ = ["results_before", "this_lineage"]

LAST = "last"
NOTEBOOK, SCRIPT = "notebook", "script"


def this_lineage() -> str:
    """Name what is run again: the notebook that somebody works in, or else the script; empty for neither."""
    notebook = notebook_path()
    if notebook is not None:
        return f"{NOTEBOOK} {notebook}"
    script = sys.argv[0] if sys.argv else ""
    return f"{SCRIPT} {Path(script).absolute()}" if script and Path(script).is_file() else ""


def results_before(lineage: str, resume: str | os.PathLike[str] | None) -> Path | None:
    """Return the results to go on from; None for none. Raises ResultsError when `resume` names none.

    A notebook goes on from its last run unasked. A script, and a notebook that nobody sits at, is run to be
    run.
    """
    if resume is not None and resume != LAST:
        return find_results(resume)
    if lineage and (resume == LAST or lineage.startswith(f"{NOTEBOOK} ")):
        return latest(lineage)
    return None
