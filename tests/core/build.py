"""Make tasks and graphs for the tests of the core, in few words."""

from nbflow.core.effects import Effect
from nbflow.core.events import Dispatched, Event, Returned, Spawned, Submitted, TryFailed
from nbflow.core.graph import Graph
from nbflow.core.ids import AppId, SlotId, TaskId
from nbflow.core.states import Cause, State
from nbflow.core.task import Options, Task

APP = AppId(1)
SLOT = SlotId("x/1")
BOOM = RuntimeError("boom")


def make_task(id: int, *parents: Task, options: Options | None = None, app: int = 1) -> Task:
    return Task(TaskId(id), AppId(app), options or Options(), parents=parents)


class World:
    """A graph that remembers what it was asked for, with short words for what happens to its tasks."""

    def __init__(self) -> None:
        self.noted: list[tuple[TaskId, str, State]] = []
        self.graph = Graph(lambda task, event: self.noted.append((task.id, type(event).__name__, task.state)))
        self._ids = 0

    def apply(self, event: Event) -> list[str]:
        """Apply an event and return its effects as `Name id`."""
        return [name(effect) for effect in self.graph.apply(event)]

    def submit(self, *parents: Task, options: Options | None = None, foreign: int = 0) -> Task:
        self._ids += 1
        task = make_task(self._ids, *parents, options=options)
        self.apply(Submitted(task.id, task, foreign))
        return task

    def start(self, task: Task) -> None:
        self.apply(Dispatched(task.id, task.try_id, SLOT))

    def finish(self, task: Task) -> list[str]:
        self.start(task)
        return self.apply(Returned(task.id, task.try_id, f"value of {task.id}"))

    def fail(self, task: Task) -> list[str]:
        self.start(task)
        return self.apply(TryFailed(task.id, task.try_id, Cause.RAISED, BOOM))

    def spawn(self, task: Task, *children: Task, foreign: int = 0) -> list[str]:
        self.start(task)
        return self.apply(Spawned(task.id, task.try_id, children, children, foreign))


def name(effect: Effect) -> str:
    return f"{type(effect).__name__} {effect.task.id}"
