"""Own what may leave for a slot, and what is kept back: everything, an app, some tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, final

from nbflow.core.effects import Enqueue
from nbflow.core.events import Paused, Resumed, Submitted
from nbflow.core.ids import AppId, ExecutorId, TaskId, TryId
from nbflow.core.states import State
from nbflow.core.task import Task
from nbflow.flow.loop import FlowLoop
from nbflow.flow.spec import AppSpec, check_name

__all__ = ["Pauses"]


@final
class Pauses:
    """Keep tasks back that could run; what runs already goes on, and what it waits for may still come.

    A task is paused when it could leave, and not while it waits for others: so what is submitted later, and
    another try of what runs, are kept back too. While nothing is kept back, it costs nothing.
    """

    def __init__(self, loop: FlowLoop, specs: dict[AppId, AppSpec]) -> None:
        self._loop = loop
        self._specs = specs
        self._everything = False
        self._apps: dict[str, bool] = {}
        self._tasks: dict[TaskId, bool] = {}
        self._open: tuple[Callable[[Any], None], Callable[[Any], None]] | None = None

    def pause(self, *, app: str | None = None, tasks: Collection[Task] | None = None) -> int:
        """Let nothing more leave: nothing at all, nothing of one app, none of these tasks.

        Returns how many tasks that could have left are kept back by it. Raises NbflowError for an app that
        nobody has defined.
        """
        check_name(app, self._specs)
        return self._loop.ask(lambda: self._say(app, tasks, is_paused=True))

    def resume(self, *, app: str | None = None, tasks: Collection[Task] | None = None) -> int:
        """Let leave again what `pause` keeps back; return how many tasks could leave at once."""
        check_name(app, self._specs)
        return self._loop.ask(lambda: self._say(app, tasks, is_paused=False))

    def describe(self) -> dict[str, Any]:
        """Return what was said to be kept back: `everything`, some `apps`, the numbers of `tasks`."""
        return {
            "everything": self._everything,
            "apps": sorted(app for app, is_paused in self._apps.items() if is_paused),
            "tasks": sorted(task for task, is_paused in self._tasks.items() if is_paused),
        }

    def _say(self, app: str | None, tasks: Collection[Task] | None, *, is_paused: bool) -> int:
        """Note what was said, in place of what was said before of the same tasks, and obey."""
        if tasks is not None:
            self._tasks |= {task.id: is_paused for task in tasks}
        elif app is not None:
            self._apps[app] = is_paused
            self._tasks.clear()
        else:
            self._everything = is_paused
            self._apps.clear()
            self._tasks.clear()
        self._watch_door()
        return self._obey()

    def _obey(self) -> int:
        """Pause and resume what was decided otherwise until now; return how many tasks that were."""
        known = list(self._loop.graph.tasks.values())
        changing = [
            (Paused if task.state is State.QUEUED else Resumed)(task.id)
            for task in known
            if task.state is (State.QUEUED if self._keeps(task) else State.PAUSED)
        ]
        for event in changing:
            self._loop.apply(event)
        for task in known:
            if task.state is State.WAITING:
                # Nor does it leave ahead of its turn, behind what it waits for.
                task.can_follow = task.call.can_follow and not self._keeps(task)
        self._recall(task for task in known if task.state is State.RUNNING and self._keeps(task))
        return len(changing)

    def _keeps(self, task: Task) -> bool:
        word = self._tasks.get(task.id)
        if word is None:
            word = self._apps.get(self._specs[task.app].name, self._everything)
        return word

    def _recall(self, tasks: Iterable[Task]) -> None:
        """Have executors give back what they have not started."""
        tries: dict[ExecutorId, list[tuple[TaskId, TryId]]] = {}
        for task in tasks:
            executor = self._loop.placement.executor_of(task.id, task.try_id)
            if executor is not None:
                tries.setdefault(executor, []).append((task.id, task.try_id))
        for executor, sent in tries.items():
            self._loop.fleet.recall(executor, sent)

    def _watch_door(self) -> None:
        """Look at each task that is submitted or could leave, as long as any may have to be kept back."""
        is_needed = self._everything or any((*self._apps.values(), *self._tasks.values()))
        if is_needed and self._open is None:
            loop = self._loop
            self._open = loop.handle(Enqueue, self._enqueue), loop.handle(Submitted, self._submitted)
        elif self._open is not None and not is_needed:
            enqueue, submitted = self._open
            self._loop.handle(Enqueue, enqueue)
            self._loop.handle(Submitted, submitted)
            self._open = None

    def _enqueue(self, effect: Enqueue) -> None:
        if self._keeps(effect.task):
            self._loop.apply(Paused(effect.task.id))
        elif self._open is not None:
            self._open[0](effect)

    def _submitted(self, event: Submitted) -> None:
        task = event.node
        task.can_follow = task.can_follow and not self._keeps(task)
        if self._open is not None:
            self._open[1](event)
