"""Own how a finished result comes to stand for a call: its value made anew, its files where they belong."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbflow.core.events import MemoHit, MemoMissed
from nbflow.core.task import Task
from nbflow.errors import ResultsError
from nbflow.flow.former.past import Result
from nbflow.flow.recipes import written_by
from nbflow.memo.files import digest_of

__all__ = ["bind", "missed"]

log = logging.getLogger("nbflow")


def bind(task: Task, result: Result) -> MemoHit | None:
    """Let a finished result stand for a task; return None when it is of no use any longer."""
    try:
        value = _restore(result, written_by(task.call))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code; the call is run then
        log.debug("task %s is not bound: %r", task.id, error)
        return None
    task.bond = result
    return MemoHit(task.id, task.try_id, value)


def _restore(result: Result, paths: Sequence[str]) -> Any:
    """Return a value, with the files that its call wrote where this call would write them.

    Raises ResultsError when one is gone or was changed.
    """
    outputs = result.finished.outputs
    for path, digest in outputs:
        if not digest or digest_of(path) != digest:
            raise ResultsError(f"{path}, which the finished call wrote, is gone or was changed")
    for (path, _), wanted in zip(outputs, paths, strict=True):
        if path != wanted:  # a log has the name of its run
            Path(wanted).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, wanted)
    return result.value()


def missed(task: Task) -> MemoMissed:
    """Return that nothing stands for a task: it runs."""
    task.bond = None
    return MemoMissed(task.id, task.try_id)
