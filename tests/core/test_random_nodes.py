"""Nodes that come, drain and go under tasks of all shapes: nothing is promised twice, and everything ends."""

from dataclasses import dataclass
from random import Random

import pytest

from nbflow.core.assignment import Assignment
from nbflow.core.capacity import Capacity
from nbflow.core.ids import AppId, ExecutorId, NodeId, SlotId, TaskId, TryId
from nbflow.core.placement import Placement
from nbflow.core.states import State
from nbflow.core.task import Options, Resources, Task

from .build import make_task

X, Y = ExecutorId("x"), ExecutorId("y")
NODE = Resources(cores=4, memory=10, gpus=2)
NEEDS = (
    Resources(),
    Resources(cores=2),
    Resources(cores=4, memory=10),
    Resources(memory=5),
    Resources(gpus=1),
    Resources(cores=2, gpus=2),
    Resources(nodes=2, ranks_per_node=2),
)


@dataclass
class Running:
    """A bundle on its way: where it is, and what is left of it."""

    nodes: list[NodeId]
    need: Resources
    sent: Assignment


class World:
    """Two executors, decided by one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.placement = Placement()
        for executor in (X, Y):
            self.placement.open_pool(executor, Capacity((), NODE, nodes=2))
        self.nodes: dict[NodeId, ExecutorId] = {}
        self.draining: set[NodeId] = set()
        self.running: list[Running] = []
        self.tasks: list[Task] = []
        self.now = 0.0
        self._blocks = 0
        self.open_block()

    def open_block(self) -> None:
        self._blocks += 1
        executor = self.random.choice((X, Y))
        until = None if self.random.random() < 0.5 else self.now + 100
        for n in (1, 2):
            node = NodeId(f"{executor}{self._blocks}-{n}")
            slots = [SlotId(f"{executor}/{node}/{slot}") for slot in range(4)]
            block = f"b{self._blocks}"
            self.placement.open_node(executor, node, block, slots, NODE, now=self.now, until=until)
            self.nodes[node] = executor

    def submit(self) -> None:
        options = Options(resources=self.random.choice(NEEDS), priority=self.random.choice((0, 0, 1)))
        task = make_task(len(self.tasks) + 1, options=options, app=self.random.randint(1, 3))
        self.tasks.append(task)
        self._queue(task)

    def _queue(self, task: Task) -> None:
        task.state = State.QUEUED
        self.placement.enqueue(task)

    def send(self) -> None:
        for sent in self.placement.assign(self.now):
            node = NodeId(sent.slot.split("/")[1])
            need = sent.tasks[0].options.resources
            nodes = [node] if need.nodes == 1 else list(sent.grant.nodes if sent.grant else ())
            assert nodes[0] == node
            assert len(set(nodes)) == need.nodes
            assert not self.draining & set(nodes), "a node that drains takes nothing"
            assert set(nodes) <= self.nodes.keys()
            self.running.append(Running(nodes, need, sent))
            for task in sent.tasks:
                task.state = State.RUNNING
            self.check()

    def check(self) -> None:
        for node in self.nodes:
            here = {one.sent.slot: one for one in self.running if node in one.nodes}.values()
            whole = [one for one in here if one.need.nodes > 1]
            assert len(here) == 1 or not whole, "a whole node is shared"
            assert sum(one.need.cores for one in here) <= NODE.cores
            assert sum(one.need.memory for one in here) <= NODE.memory
            for kind in ("gpus", "cores"):
                given = [n for one in here if one.sent.grant for n in getattr(one.sent.grant, kind)]
                assert len(set(given)) == len(given), f"{kind} are given twice"
                assert set(given) <= set(range(getattr(NODE, kind)))

    def end_one(self) -> None:
        if self.running:
            self._end(self.running.pop(self.random.randrange(len(self.running))), State.DONE)

    def _end(self, one: Running, state: State) -> None:
        for task in one.sent.tasks:
            executor = self.placement.release(task.id, task.try_id, self.now)
            if state is State.DONE:
                task.state = state
                if executor is not None:
                    self.placement.learn(task.app, self.random.choice((0.001, 5.0)), executor)
            else:
                task.try_id = TryId(task.try_id + 1)
                self._queue(task)

    def trouble(self) -> None:
        node = self.random.choice(list(self.nodes))
        if self.random.random() < 0.5:
            self.placement.drain_node(self.nodes[node], node)
            self.draining.add(node)
            return
        for one in [one for one in self.running if node in one.nodes]:
            self.running.remove(one)
            self._end(one, State.QUEUED)
        self.placement.close_node(self.nodes.pop(node), node)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_promised_twice_and_everything_ends(seed: int) -> None:
    world = World(seed)
    for _ in range(120):
        world.now += world.random.random() * 3
        world.random.choice((world.submit, world.submit, world.send, world.end_one, world.end_one))()
        if world.random.random() < 0.05 and len(world.nodes) > 1:
            world.trouble()
        if len(world.nodes) < 6:
            world.open_block()
    world.placement.learn(AppId(1), 1.0, X)
    for _ in range(1000):
        world.send()
        if not world.running:
            # What is left waits for nodes with more time, in a block of two.
            if all(task.state is State.DONE for task in world.tasks):
                break
            world.open_block()
        world.end_one()
    assert [task.id for task in world.tasks if task.state is not State.DONE] == []
    assert world.placement.executor_of(TaskId(1), TryId(1)) is None
    assert not world.placement.is_busy()
