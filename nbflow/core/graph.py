"""Own the task graph of one run: who waits for whom, counted, and what one event sets off.

Finished tasks leave the graph at once: whoever still needs a result holds its future. Failed and cancelled
tasks stay, because a retry may reopen them; what they wait for goes on being counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import final

from nbflow.core.effects import Effect
from nbflow.core.events import (
    DepDone,
    DepFailed,
    Event,
    Released,
    RetryRequested,
    Spawned,
    Submitted,
    Undone,
)
from nbflow.core.former import Former
from nbflow.core.ids import TaskId
from nbflow.core.states import REOPENABLE, State
from nbflow.core.task import Failure, Task
from nbflow.core.transitions import step

__all__ = ["Graph", "waits_for"]

Note = Callable[[Task, Event], None]
NEW = State.NEW
DONE = State.DONE
HELD = State.HELD


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

    def undo(self, formers: Sequence[Former], by: str | None = None) -> list[Effect]:
        """Let tasks be again as they were before one retry reopened them; return what must be done, in order.

        Each ends as it had ended, whatever it does or has become by now. What else waits for one of them, or
        runs with its result, fails because of it; what is done with it already stays done.
        """
        effects: list[Effect] = []
        tasks = {former.task for former in formers}
        finished = {task for task in tasks if task.state is DONE}
        stopped = [former for former in formers if former.task.state <= DONE]
        _unlink_all(tasks)
        for former in formers:
            task = former.task
            self.tasks[task.id] = task
            former.put_back()
            event = Undone(task.id, former, by)
            step(task, event, effects)
            self._note(task, event)
        if finished:
            for task in self.tasks.values():
                if task not in tasks:
                    needed = task.children or task.parents
                    task.awaiting += _link(task, [other for other in needed if other in finished])
        echoes = [
            DepFailed(other.id, former.failure or Failure(None, None, former.task.id))
            for former in stopped
            for other in former.task.dependents or ()
        ]
        for former in formers:
            task = former.task
            needed = task.children or task.parents
            task.foreign = former.foreign
            task.awaiting = _link(task, needed) + former.foreign
            task.blocked = _blocked(needed)
        self._apply_all(echoes, effects)
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
            before = NEW
        else:
            found = self.tasks.get(event.task)
            if found is None:
                return ()
            task = found
            before = found.state
            if kind is Spawned:
                self._adopt(task, event)  # type: ignore[arg-type]
            elif (kind is DepDone or kind is DepFailed) and not _count(task, event):  # type: ignore[arg-type]
                return ()
        if not step(task, event, effects):
            return ()
        self._note(task, event)
        if task.state >= DONE:
            if before is HELD and task.state is not DONE:
                return self._released(task)
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

    def _released(self, task: Task) -> Iterable[Event]:
        # What waits for it has counted it as failed when it was held.
        failure = task.failure or Failure(None, None, task.id)
        return (Released(other.id, failure) for other in task.dependents or ())

    def _retry(self, request: RetryRequested, effects: list[Effect]) -> None:
        asked = self.tasks.get(request.task)
        if asked is None or asked.state not in REOPENABLE:
            return
        if asked.children and (request.is_anew or request.parents is not None):
            _forget_children(asked)
        if request.parents is not None:
            _change_parents(asked, request.parents, request.foreign)
        substitute = request.substitute
        todo = deque(_failed_ancestry(asked) if substitute is None else [asked])
        while todo:
            task = todo.popleft()
            is_given = task is asked and substitute is not None
            if (task.blocked and not is_given) or task.state not in REOPENABLE:
                continue
            dependents = task.dependents or ()  # they leave with a task that is done at once
            for other in dependents:
                other.blocked -= 1
            root = None if task is asked else asked.id
            code = request.code if task is asked else None
            event = RetryRequested(task.id, by=request.by, why=request.why, code=code, root=root)
            event.substitute = substitute if is_given else None
            self._apply_all([event], effects)
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
    task.blocked = _blocked(parents)


def _blocked(others: Iterable[Task]) -> int:
    return sum(other.state in REOPENABLE for other in others)


def _failed_already(task: Task, others: Iterable[Task]) -> Iterator[Event]:
    for other in others:
        if other.state in REOPENABLE:
            yield DepFailed(task.id, other.failure or Failure(None, None, other.id))


def _unlink(task: Task, others: Iterable[Task]) -> None:
    for other in others:
        if other.dependents:
            other.dependents = [one for one in other.dependents if one is not task]


def _unlink_all(tasks: set[Task]) -> None:
    """Let none of `tasks` be a dependent of anything, at the cost of their edges."""
    for other in {other for task in tasks for other in (*task.parents, *task.children)}:
        if other.dependents:
            other.dependents = [one for one in other.dependents if one not in tasks]


def _is_echo(task: Task) -> bool:
    """Tell whether a task failed only because another did."""
    if task.state is State.UPSTREAM_FAILED or task.state is HELD:
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
