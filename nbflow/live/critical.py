"""Own the critical path: the chain of tasks that made a run as long as it was. Pure."""

from __future__ import annotations

from collections.abc import Collection

from nbflow.core.states import State
from nbflow.journal.rows import ARGUMENT
from nbflow.live.model import RunModel

__all__ = ["critical_path"]


def critical_path(model: RunModel, wanted: Collection[int] | None = None) -> list[int]:
    """Return the critical path, first task first.

    It goes back from the task that ended last, each time to the one that this task waited for longest. A task
    waits for its arguments, a join for its offspring. Tasks that did not run are no part of it.
    """
    needs: dict[int, list[int]] = {}
    for parent, child, kind in model.edges:
        consumer, needed = (child, parent) if kind == ARGUMENT else (parent, child)
        if _has_run(model, needed):
            needs.setdefault(consumer, []).append(needed)
    known = range(1, len(model.since)) if wanted is None else wanted
    task: int | None = max(
        (one for one in known if _has_run(model, one)), key=model.since.__getitem__, default=None
    )
    path: list[int] = []
    seen: set[int] = set()
    while task is not None:
        path.append(task)
        seen.add(task)
        before = [one for one in needs.get(task, ()) if one not in seen]
        task = max(before, key=model.since.__getitem__, default=None)
    return path[::-1]


def _has_run(model: RunModel, task: int) -> bool:
    return task < len(model.since) and model.state_of[task] in (State.DONE, State.FAILED)
