"""Own the task graph of one run: who waits for whom, counted, and what one event sets off.

Finished tasks leave the graph at once: whoever still needs a result holds its future. Failed and cancelled
tasks stay, because a retry may reopen them; what they wait for goes on being counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import final

from nbflow.core.effects import Effect
from nbflow.core.events import DepDone, DepFailed, Event, RetryRequested, Spawned, Submitted
from nbflow.core.ids import TaskId
from nbflow.core.states import REOPENABLE, State
from nbflow.core.task import Failure, Task
from nbflow.core.transitions import step

__all__ = ["Graph", "waits_for"]

Note = Callable[[Task, Event], None]
DONE = State.DONE


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
        elif following := self._apply_one(event, effects):
            self._apply_all(following, effects)
        return effects

    def _apply_all(self, events: Iterable[Event], effects: list[Effect]) -> None:
        todo = deque(events)
        while todo:
            todo.extend(self._apply_one(todo.popleft(), effects))

    def _apply_one(self, event: Event, effects: list[Effect]) -> Iterable[Event]:
        """Apply one event; return the events that follow from it."""
        kind = type(event)
        if kind is Submitted:
            task = self._admit(event)  # type: ignore[arg-type]
        else:
            found = self.tasks.get(event.task)
            if found is None:
                return ()
            task = found
            if kind is Spawned:
                self._adopt(task, event)  # type: ignore[arg-type]
            elif (kind is DepDone or kind is DepFailed) and not _count(task, event):  # type: ignore[arg-type]
                return ()
        if not step(task, event, effects):
            return ()
        self._note(task, event)
        if task.state >= DONE:
            return self._ended(task)
        if kind is Submitted:
            return _failed_already(task, task.parents) if task.parents else ()
        return _failed_already(task, task.children) if kind is Spawned else ()

    def _admit(self, event: Submitted) -> Task:
        task = event.node
        self.tasks[task.id] = task
        task.foreign = event.foreign
        task.awaiting = event.foreign
        if task.parents:
            task.awaiting += _link(task, task.parents)
        return task

    def _adopt(self, task: Task, event: Spawned) -> None:
        # A late Spawned of another try, or one that is said again, must not touch the links.
        if event.try_id == task.try_id and _standing(task) is State.RUNNING:
            task.children = event.children
            task.foreign = event.foreign
            task.awaiting = _link(task, task.children) + event.foreign

    def _ended(self, task: Task) -> Iterable[Event]:
        dependents = task.dependents
        if task.state is State.DONE:
            del self.tasks[task.id]
            task.parents = task.children = ()
            task.dependents = None
            return [DepDone(other.id) for other in dependents] if dependents else ()
        failure = task.failure or Failure(None, None, task.id)
        return (DepFailed(other.id, failure) for other in dependents or ())

    def _retry(self, request: RetryRequested, effects: list[Effect]) -> None:
        asked = self.tasks.get(request.task)
        if asked is None or asked.state not in REOPENABLE:
            return
        if asked.children and (request.is_anew or request.parents is not None):
            _forget_children(asked)
        if request.parents is not None:
            _change_parents(asked, request.parents, request.foreign)
        todo = deque(_failed_ancestry(asked))
        while todo:
            task = todo.popleft()
            if task.blocked or task.state not in REOPENABLE:
                continue
            dependents = task.dependents or ()  # they leave with a task that is done at once
            for other in dependents:
                other.blocked -= 1
            self._apply_all([RetryRequested(task.id)], effects)
            todo.extend(filter(_is_echo, dependents))


def _count(task: Task, event: DepDone | DepFailed) -> bool:
    """Count what came or failed; return False when it is about arguments that were changed since."""
    if event.is_foreign:
        if not task.foreign:
            return False
        task.foreign -= 1
    if type(event) is DepDone:
        task.awaiting -= 1
    elif event.is_foreign:
        # It cannot be retried, so it is not waited for again: a further try meets it among its arguments, and
        # a join has to spawn anew.
        task.awaiting -= 1
        if task.children or _standing(task) is State.JOINING:
            _forget_children(task)
    else:
        task.blocked += 1
    return True


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


def _standing(task: Task) -> State:
    return task.held if task.state is State.PAUSED else task.state


def _forget_children(task: Task) -> None:
    """Let the body of a join run again: what it was given is all there."""
    _unlink(task, task.children)
    task.children = ()
    task.awaiting = task.blocked = task.foreign = 0


def _change_parents(task: Task, parents: Sequence[Task], foreign: int) -> None:
    _unlink(task, task.parents)
    task.parents = parents
    task.foreign = foreign
    task.awaiting = _link(task, parents) + foreign
    task.blocked = sum(other.state in REOPENABLE for other in parents)


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
