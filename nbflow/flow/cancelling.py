"""Own the cancelling of tasks: what else has to end with them."""

from __future__ import annotations

from collections.abc import Iterable

from nbflow.core.events import CancelRequested
from nbflow.core.ids import TaskId
from nbflow.core.states import State
from nbflow.core.task import Task
from nbflow.flow.loop import FlowLoop
from nbflow.wire.messages import Kind

__all__ = ["cancel_tasks", "spawned_by"]


def cancel_tasks(loop: FlowLoop, tasks: Iterable[Task]) -> int:
    """Cancel tasks, and what the join apps among them have spawned; return how many were cancelled."""
    wanted = list(tasks)

    def cancel() -> int:
        spawners = {
            task.id for task in wanted if task.call is not None and task.call.directive.kind is Kind.JOIN
        }
        if spawners:
            wanted.extend(spawned_by(loop.graph.tasks.values(), spawners))
        unfinished = [task for task in dict.fromkeys(wanted) if not task.state.is_final]
        for task in unfinished:
            loop.apply(CancelRequested(task.id))
        return sum(task.state is State.CANCELLED for task in unfinished)

    return loop.ask(cancel)


def spawned_by(tasks: Iterable[Task], spawners: set[TaskId]) -> list[Task]:
    """Return the tasks that these join tasks made, directly or not."""
    found: list[Task] = []
    for task in sorted(tasks, key=lambda one: one.id):  # a task is younger than the one that made it
        if task.spawner in spawners:
            spawners.add(task.id)
            found.append(task)
    return found
