"""Own the question which tasks can follow others in their bundle."""

from __future__ import annotations

from collections.abc import Iterator

from nbflow.core.ids import TaskId
from nbflow.core.states import State
from nbflow.core.task import Task

__all__ = ["followers"]


def followers(tasks: list[Task]) -> Iterator[Task]:
    """Yield each task whose missing parents are all among `tasks`, and have no other dependent.

    Whoever takes one appends it to `tasks`: then those that can follow it are yielded as well. What is looked
    up or staged first is left out: that is done with the results of its parents, which are not here.
    """
    parents_here: dict[TaskId, int] = {}
    for task in tasks:
        dependents = task.dependents
        if dependents is None or len(dependents) != 1:
            continue
        follower = dependents[0]
        options = follower.options
        if not follower.can_follow or follower.state is not State.WAITING:
            continue
        here = parents_here[follower.id] = parents_here.get(follower.id, 0) + 1
        if here == follower.awaiting and not (options.memoized or options.stages_in):
            yield follower
