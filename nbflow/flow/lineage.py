"""Own the question which notebook or script this is, and whose results it goes on from by itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbflow.errors import ResultsError
from nbflow.flow.cells import is_notebook, notebook_path
from nbflow.flow.former.past import LAST, Lineage, find_results, runs_of

__all__ = ["this_lineage"]

NOTEBOOK, SCRIPT = "notebook", "script"


def this_lineage(resume: str | os.PathLike[str] | None, *, is_fresh: bool) -> Lineage:
    """Return what is run again here, and the results to go on from.

    A notebook goes on from its last run unasked. A script, and a notebook that nobody sits at, is run to be
    run. Raises ResultsError when `resume` names none.
    """
    name = _name()
    if is_fresh:
        return Lineage(name, is_chosen=True)
    if resume is not None and resume != LAST:
        return Lineage(name, find_results(resume), is_chosen=True)
    if resume == LAST and not name:
        raise ResultsError(
            "load(resume='last'): it is not known which notebook or script this is. Name a run, as "
            "`nbflow ps` lists it"
        )
    is_asked = resume == LAST or name.startswith(f"{NOTEBOOK} ")
    return Lineage(name, next(reversed(runs_of(name)), None) if is_asked else None)


def _name() -> str:
    notebook = notebook_path()
    if notebook is not None:
        return f"{NOTEBOOK} {notebook}"
    script = sys.argv[0] if sys.argv else ""
    is_script = script and not is_notebook() and Path(script).is_file()
    return f"{SCRIPT} {Path(script).absolute()}" if is_script else ""
