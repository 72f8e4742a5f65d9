"""Own what stands for a task beyond its run: earlier work that it is bound to, the name of its result.

A result has one name for good, wherever and whenever it is bound again: the run and the task that made it.
What a join app returns is named by the results in it. So a call knows whether its inputs are the very results
that an earlier equal call had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, final

from nbflow.core.task import Task
from nbflow.flow.former.past import Result, Sent

__all__ = ["FOLLOWING", "Joined", "identities_of", "identity_of", "why_bound"]

FOLLOWING = "following"
"""The bond of a task that waits for an equal one to end."""

MOST_NAMES = 16
"""The names of more inputs are replaced by their digest."""


@final
class Joined:
    """Name what a join app returned: its arrangement, and once they are there the results in it."""

    __slots__ = ("_children", "_form", "identity")

    def __init__(self, form: bytes, children: Sequence[Task]) -> None:
        self._form = form
        self._children = children
        self.identity: Any = None

    def close(self, run: str) -> None:
        """Be told that all results are there."""
        names = identities_of(run, self._children)
        self._children = ()
        if names is not None:
            self.identity = ("joined", _digest((self._form, names)))


def identity_of(run: str, task: Task) -> Any:
    """Return the name of the result of a task of `run` that is done; None when it has none."""
    bond = task.bond
    return bond.identity if isinstance(bond, Result | Sent | Joined) else (run, task.id)


def identities_of(run: str, tasks: Sequence[Task]) -> tuple[Any, ...] | None:
    """Return the names of the results of tasks that are done; None when one has none."""
    names = tuple([identity_of(run, task) for task in tasks])
    if None in names:
        return None
    return names if len(names) <= MOST_NAMES else (_digest(names),)


def why_bound(task: Task) -> str | None:
    """Return which earlier work stands for a task; None when it has to be run, or was."""
    bond = task.bond
    if not isinstance(bond, Result | Sent):
        return None
    run, number = bond.identity
    did = (
        "finished an equal call; nothing was run" if isinstance(bond, Result) else "was running an equal call"
    )
    return f"bound: task {number} of run {run} {did}"


def _digest(names: Any) -> bytes:
    return hashlib.sha256(repr(names).encode("utf-8", "surrogatepass")).digest()[:16]
