"""Run a graph on executors of different speed by a simulated clock: who gets what, and when all is done."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from nbflow.core.capacity import Capacity
from nbflow.core.effects import Enqueue
from nbflow.core.events import Dispatched, Returned, Submitted
from nbflow.core.graph import Graph
from nbflow.core.ids import AppId, ExecutorId, NodeId, SlotId, TaskId
from nbflow.core.placement import Placement
from nbflow.core.task import ONE_CORE, Options, Resources, Task

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Place:
    """An executor: `seconds` for each app's call; its node comes after `wait` seconds, which it foretells."""

    name: str
    slots: int
    seconds: tuple[float, ...]
    wait: float = 0.0


class Race:
    """Drive a graph and its placement as the flow loop does; every call takes as long as its place says."""

    def __init__(self, *places: Place) -> None:
        self.now = 0.0
        self.ran: Counter[str] = Counter()
        self.began: dict[TaskId, float] = {}
        self.why: dict[TaskId, str] = {}
        self.placement = Placement()
        self.graph = Graph(lambda task, event: None)
        self._places = {place.name: place for place in places}
        self._ends: list[tuple[float, TaskId, str]] = []
        self._coming = [place for place in places if place.wait]
        for place in places:
            executor, total = ExecutorId(place.name), Resources(cores=place.slots)
            self.placement.open_pool(executor, Capacity((), total))
            if not place.wait:
                self._open(place)

    def _open(self, place: Place) -> None:
        slots = [SlotId(f"{place.name}/n/{n}") for n in range(place.slots)]
        total = Resources(cores=place.slots)
        self.placement.open_node(ExecutorId(place.name), NodeId("n"), "b", slots, total)

    def submit(
        self, id: int, *parents: Task, app: int = 1, need: Resources = ONE_CORE, **options: Any
    ) -> Task:
        task = Task(TaskId(id), AppId(app), Options(resources=need, **options), parents=parents)
        self._apply(Submitted(task.id, task))
        return task

    def run(self) -> float:
        """Let everything end; return when it did."""
        for _ in range(200_000):
            self._send()
            if not self._ends and not self.graph.tasks:
                return self.now
            self.now = min(self._ends[0][0] if self._ends else float("inf"), self.now + LOOK_SECONDS)
            self._end()
        raise AssertionError(f"never ends: {len(self.graph.tasks)} tasks are left at {self.now}")

    def _apply(self, event: Submitted | Dispatched | Returned) -> None:
        for effect in self.graph.apply(event):
            if isinstance(effect, Enqueue):
                self.placement.enqueue(effect.task)

    def _send(self) -> None:
        for place in list(self._coming):
            if self.now >= place.wait:
                self._coming.remove(place)
                self._open(place)
            else:
                self.placement.expect(ExecutorId(place.name), place.wait - self.now)
        for sent in self.placement.assign(self.now):
            at = self.now
            for task in sent.tasks:
                self._apply(Dispatched(task.id, task.try_id, sent.slot))
                self.ran[sent.executor] += 1
                self.began[task.id] = at
                if sent.why:
                    self.why[task.id] = sent.why
                at += self._places[sent.executor].seconds[task.app - 1]
                heappush(self._ends, (at, task.id, sent.executor))

    def _end(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            _, id, executor = heappop(self._ends)
            task = self.graph.tasks[id]
            self.placement.release(id, task.try_id, self.now)
            seconds = self._places[executor].seconds[task.app - 1]
            self.placement.learn(task.app, seconds, ExecutorId(executor))
            self._apply(Returned(id, task.try_id, None, seconds))


def submit_layers(race: Race, tasks: int, width: int, apps: int = 1) -> Sequence[Task]:
    """Submit a graph in which each task takes the results of two tasks of the layer before."""
    made: list[Task] = []
    for id in range(1, tasks + 1):
        at = len(made) - width
        parents = [made[at], made[at + 1]] if at >= 0 and (at + 1) % width else made[at : at + 1] * (at >= 0)
        made.append(race.submit(id, *parents, app=1 + id % apps))
    return made
