"""Own the task graph of one run: who waits for whom, counted, and what one event sets off.

Finished tasks leave the graph at once: whoever still needs a result holds its future. Failed and cancelled tasks
stay, because a retry may reopen them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import final

from nbflow.core.effects import Effect
from nbflow.core.events import DepDone, DepFailed, Event, RetryRequested, Spawned, Submitted
from nbflow.core.ids import TaskId
from nbflow.core.states import REOPENABLE, State
from nbflow.core.task import Failure, Task
from nbflow.core.transitions import step

__all__ = ["Graph", "waits_for"]

Note = Callable[[Task, Event], None]


@final
class Graph:
    """Hold the unfinished and the reopenable tasks of a run, and apply events to them.

    `note(task, event)` is called after every change of a task's state: it is the one event stream.
    """

    def __init__(self, note: Note) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self._note = note

    def apply(self, event: Event) -> list[Effect]:
        """Apply `event` and all that follows from it; return what must be done, in order.

        Costs O(1) and O(dependents) when a task ends. An event about a task that left the graph is dropped.
        """
        effects: list[Effect] = []
        if type(event) is RetryRequested:
            self._retry(event, effects)
        else:
            self._apply(event, effects)
        return effects

    def _apply(self, first: Event, effects: list[Effect]) -> None:
        todo: deque[Event] = deque((first,))
        while todo:
            event = todo.popleft()
            kind = type(event)
            if kind is Submitted:
                task = self._admit(event)  # type: ignore[arg-type]
                todo.extend(_failed_already(task, task.parents))
            else:
                found = self.tasks.get(event.task)
                if found is None:
                    continue
                task = found
                if kind is Spawned:
                    self._adopt(task, event)  # type: ignore[arg-type]
                elif (kind is DepDone or kind is DepFailed) and event.is_foreign:  # type: ignore[union-attr]
                    task.foreign -= 1
            if not step(task, event, effects):
                continue
            self._note(task, event)
            if kind is Spawned:
                todo.extend(_failed_already(task, task.children))
            if task.state >= State.DONE:
                todo.extend(self._ended(task))

    def _admit(self, event: Submitted) -> Task:
        task = event.node
        self.tasks[task.id] = task
        task.awaiting = _link(task, task.parents)
        task.foreign = event.foreign
        return task

    def _adopt(self, task: Task, event: Spawned) -> None:
        # A late Spawned of another try must not touch the links.
        if event.try_id == task.try_id and not task.state.is_final:
            task.children = event.children
            task.awaiting = _link(task, task.children)
            task.foreign = event.foreign

    def _ended(self, task: Task) -> Iterable[Event]:
        dependents = task.dependents
        if task.state is State.DONE:
            del self.tasks[task.id]
            task.parents = task.children = ()
            task.dependents = None
            return (DepDone(other.id) for other in dependents or ())
        failure = task.failure or Failure(None, None, task.id)
        return (DepFailed(other.id, failure) for other in dependents or ())

    def _retry(self, request: RetryRequested, effects: list[Effect]) -> None:
        asked = self.tasks.get(request.task)
        if asked is None or asked.state not in REOPENABLE:
            return
        if request.parents is not None:
            _unlink(asked, asked.parents)
            asked.parents = request.parents
            _link(asked, asked.parents)
        if request.is_anew:
            _unlink(asked, asked.children)
            asked.children = ()
        todo = deque(_failed_ancestry(asked))
        while todo:
            task = todo.popleft()
            held_up = any(other.state in REOPENABLE for other in (*task.parents, *task.children))
            if task.state not in REOPENABLE or held_up:
                continue
            joining = bool(task.children)
            others = task.children if joining else task.parents
            awaiting = task.foreign + sum(other.state is not State.DONE for other in others)
            dependents = task.dependents or ()  # they leave with a task that is done at once
            self._apply(RetryRequested(task.id, awaiting=awaiting, joining=joining), effects)
            todo.extend(other for other in dependents if _is_echo(other))


def _link(task: Task, others: Iterable[Task]) -> int:
    """Make `task` a dependent of each unfinished one of `others`; return how many there are."""
    awaiting = 0
    for other in others:
        if other.state is not State.DONE:
            awaiting += 1
            if other.dependents is None:
                other.dependents = [task]
            else:
                other.dependents.append(task)
    return awaiting


def _failed_already(task: Task, others: Iterable[Task]) -> Iterator[Event]:
    for other in others:
        if other.state in REOPENABLE:
            yield DepFailed(task.id, other.failure or Failure(None, None, other.id))


def _unlink(task: Task, others: Iterable[Task]) -> None:
    for other in others:
        if other.dependents:
            other.dependents = [one for one in other.dependents if one is not task]


def _is_echo(task: Task) -> bool:
    """Tell whether a task failed only because another did."""
    if task.state is State.UPSTREAM_FAILED:
        return True
    return task.state is State.FAILED and task.failure is not None and task.failure.root != task.id


def _failed_ancestry(task: Task) -> list[Task]:
    """Return `task` and the failed tasks that it waits for, directly or not, causes first."""
    order: list[Task] = []
    seen: set[TaskId] = set()
    stack = [(task, False)]
    while stack:
        at, is_expanded = stack.pop()
        if is_expanded:
            order.append(at)
        elif at.id not in seen and at.state in REOPENABLE:
            seen.add(at.id)
            stack.append((at, True))
            stack.extend((other, False) for other in (*at.parents, *at.children))
    return order


def waits_for(tasks: Iterable[Task], target: Task) -> bool:
    """Tell whether one of `tasks` is `target` or waits for it, directly or not."""
    seen: set[TaskId] = set()
    stack = list(tasks)
    while stack:
        task = stack.pop()
        if task is target:
            return True
        if task.state is State.DONE or task.id in seen:
            continue
        seen.add(task.id)
        stack.extend(task.parents)
        stack.extend(task.children)
    return False
