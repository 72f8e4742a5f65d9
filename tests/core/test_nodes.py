"""What fits where: nodes, their resources and time, and the very cores and GPUs that a call is given."""

import pytest

from nbflow.core.assignment import Assignment
from nbflow.core.capacity import Capacity
from nbflow.core.ids import AppId, ExecutorId, NodeId, SlotId
from nbflow.core.nodes import PLENTY_SECONDS, time_needed
from nbflow.core.placement import Placement
from nbflow.core.states import State
from nbflow.core.task import Grant, Options, Resources, Task

from .build import make_task

X = ExecutorId("x")
NODE = Resources(cores=4, memory=100, gpus=2)
HOUR = 3600.0


def need(**resources: int) -> Options:
    return Options(resources=Resources(**resources))


class Site:
    """One executor of several nodes, and tasks given to it in the order of their ids."""

    def __init__(self, *, nodes: int = 2, blocks: int = 1, until: float | None = None) -> None:
        self.placement = Placement()
        self.placement.open_pool(X, Capacity((), NODE, nodes=nodes))
        self._ids = 0
        for block in range(1, blocks + 1):
            for node in range(1, nodes + 1):
                self.open(f"b{block}n{node}", f"b{block}", until=until)

    def open(self, node: str, block: str = "b", *, until: float | None = None, now: float = 0.0) -> None:
        slots = [SlotId(f"x/{node}/{n}") for n in range(1, 5)]
        self.placement.open_node(X, NodeId(node), block, slots, NODE, now=now, until=until)

    def add(self, options: Options | None = None, app: int = 1) -> Task:
        self._ids += 1
        task = make_task(self._ids, options=options, app=app)
        task.state = State.QUEUED
        self.placement.enqueue(task)
        return task

    def assign(self, now: float = 0.0) -> list[Assignment]:
        found = self.placement.assign(now)
        for task in (task for assignment in found for task in assignment.tasks):
            task.state = State.RUNNING
        return found

    def where(self, now: float = 0.0) -> list[str]:
        """Let tasks leave; return the nodes that they go to, in the order of the tasks."""
        return [assignment.slot.split("/")[1] for assignment in self.assign(now)]

    def end(self, task: Task, now: float = 0.0) -> None:
        self.placement.release(task.id, task.try_id, now)


def test_one_node_is_filled_before_the_next_is_begun() -> None:
    site = Site()
    for _ in range(6):
        site.add()
    first, *rest = nodes = site.where()
    assert nodes == [first] * 4 + [rest[-1]] * 2
    assert first != rest[-1]


def test_tasks_of_different_shape_share_a_node_as_far_as_it_goes() -> None:
    site = Site(nodes=1)
    site.add(need(cores=2, memory=50))
    site.add(need(gpus=1))
    site.add(need(memory=50))
    site.add(need(gpus=1))
    assert len(site.assign()) == 3, "the fourth lacks a core"


def test_what_is_free_on_two_nodes_together_is_not_room() -> None:
    site = Site()
    for _ in range(2):
        site.add(need(cores=3))
    assert len(site.assign()) == 2
    site.add(need(cores=2))
    assert site.assign() == []


def test_a_large_task_keeps_one_node_and_leaves_the_others_to_small_ones() -> None:
    site = Site()
    small = [site.add() for _ in range(8)]
    site.assign()
    site.add(need(cores=4))
    later = [site.add() for _ in range(8)]
    for task in small[:4]:
        site.end(task)
    [large] = site.assign()
    assert [task.id for task in large.tasks] == [9]
    site.add(need(cores=4))
    for task in small[4:6]:
        site.end(task)
    assert len(site.assign()) == 2, "older small tasks go on"
    assert later[0].state is later[1].state is State.RUNNING


def test_a_large_task_is_not_starved_by_a_stream_of_small_ones() -> None:
    site = Site()
    running = [site.add() for _ in range(8)]
    site.assign()
    large = site.add(need(cores=4))
    for turn in range(20):
        site.add()
        site.end(running.pop(0))
        running += [task for assignment in site.assign() for task in assignment.tasks]
        if large.state is State.RUNNING:
            return
        assert turn < 8, "by then a whole node has come free, which nobody else was given"


def test_a_call_is_given_its_very_gpus_and_cores_and_they_come_back() -> None:
    site = Site(nodes=1)
    first, second = site.add(need(gpus=1)), site.add(need(cores=2, gpus=1))
    assert [one.grant for one in site.assign()] == [Grant(gpus=(0,)), Grant(gpus=(1,), cores=(0, 1))]
    site.end(first)
    third = site.add(need(gpus=1))
    assert [one.grant for one in site.assign()] == [Grant(gpus=(0,))]
    site.end(second)
    site.end(third)
    site.add(need(cores=4, gpus=2))
    assert [one.grant for one in site.assign()] == [Grant(gpus=(0, 1), cores=(0, 1, 2, 3))]


def test_a_call_of_one_core_is_given_nothing_but_the_memory_that_it_named() -> None:
    site = Site(nodes=1)
    site.add()
    site.add(need(memory=10))
    assert [one.grant for one in site.assign()] == [None, Grant(memory=10)]


# Several nodes


def test_a_call_on_several_nodes_takes_whole_ones_of_one_block() -> None:
    site = Site(nodes=2, blocks=2)
    blocker = site.add()
    [there] = site.where()
    wide = site.add(need(nodes=2))
    [sent] = site.assign()
    assert sent.grant is not None
    block = {"b1": "b2", "b2": "b1"}[there[:2]]
    assert sent.grant.nodes == (f"{block}n1", f"{block}n2")
    assert sent.slot.startswith(f"x/{block}n1/")
    site.add(need(nodes=2))
    assert site.assign() == [], "the other block has only one whole node"
    site.end(blocker)
    assert len(site.assign()) == 1
    for _ in range(9):
        site.add()
    assert site.assign() == []
    site.end(wide)
    assert len(site.assign()) == 8


def test_ranks_are_told_where_it_runs() -> None:
    site = Site(nodes=2)
    site.add(need(nodes=2, ranks_per_node=3))
    [sent] = site.assign()
    assert sent.grant == Grant((NodeId("b1n1"), NodeId("b1n2")), ranks_per_node=3)


def test_more_nodes_than_a_block_has_are_refused() -> None:
    site = Site(nodes=2, blocks=2)
    assert site.placement.can_ever_place(need(nodes=2))
    assert not site.placement.can_ever_place(need(nodes=3))
    assert not site.placement.can_ever_place(need(nodes=2, cores=5))


def test_a_node_that_goes_down_under_a_call_on_several_frees_the_others() -> None:
    site = Site(nodes=2)
    wide = site.add(need(nodes=2))
    site.assign()
    site.placement.close_node(X, NodeId("b1n2"))
    site.end(wide)
    for _ in range(8):
        site.add()
    assert site.where() == ["b1n1"] * 4


# Coming and going


def test_a_node_that_drains_takes_no_more_and_ends_what_it_has() -> None:
    site = Site(nodes=1)
    task = site.add()
    site.assign()
    site.placement.drain_node(X, NodeId("b1n1"))
    site.add()
    assert site.assign() == []
    assert site.placement.executor_of(task.id, task.try_id) == X
    site.end(task)
    assert site.assign() == []
    site.open("new")
    assert site.where() == ["new"]


def test_a_bundle_that_shrinks_on_a_node_that_drains_is_not_filled_again() -> None:
    site = Site(nodes=1)
    site.placement.learn(AppId(1), 0.01, X)
    tasks = [site.add() for _ in range(8)]
    site.assign()
    site.placement.drain_node(X, NodeId("b1n1"))
    site.end(tasks[0])
    site.add()
    assert site.assign() == []


def test_a_node_that_goes_down_takes_its_slots_along_and_unknown_ones_are_passed_over() -> None:
    site = Site(nodes=1)
    task = site.add()
    site.assign()
    site.placement.close_node(X, NodeId("b1n1"))
    site.placement.close_node(X, NodeId("b1n1"))
    site.placement.drain_node(X, NodeId("b1n1"))
    site.placement.open_slot(X, SlotId("x/b1n1/9"), NodeId("b1n1"))
    assert site.placement.executor_of(task.id, task.try_id) is None
    site.add()
    assert site.assign() == []


def test_a_worker_that_is_replaced_is_a_slot_of_its_node() -> None:
    site = Site(nodes=1)
    site.placement.close_slot(SlotId("x/b1n1/4"))
    site.placement.open_slot(X, SlotId("x/b1n1/5"), NodeId("b1n1"))
    for _ in range(9):
        site.add()
    assert len(site.assign()) == 4


# Time left


@pytest.mark.parametrize(
    ("seconds", "lifetime", "needed"),
    [
        (100.0, HOUR, 120.0),
        (None, HOUR, PLENTY_SECONDS),
        (None, 60.0, 30.0),
        (2 * HOUR, HOUR, 0.9 * HOUR),
    ],
)
def test_the_time_that_a_node_must_have_left(seconds: float | None, lifetime: float, needed: float) -> None:
    assert time_needed(seconds, lifetime) == needed


def test_what_cannot_end_in_time_is_not_started_and_what_can_is() -> None:
    site = Site(nodes=1, until=HOUR)
    site.placement.learn(AppId(1), 600.0, X)
    site.placement.learn(AppId(2), 60.0, X)
    site.add(app=1)
    assert site.assign(now=HOUR - 700) == []
    short = site.add(Options(priority=1), app=2)
    [sent] = site.assign(now=HOUR - 700)
    assert sent.tasks == [short]
    site.open("new", until=2 * HOUR, now=HOUR - 700)
    assert site.where(now=HOUR - 700) == ["new"]


def test_what_waits_for_time_does_not_keep_shorter_ones_from_starting() -> None:
    site = Site(nodes=1, until=HOUR)
    site.placement.learn(AppId(1), 600.0, X)
    site.placement.learn(AppId(2), 60.0, X)
    site.add(app=1)
    assert site.assign(now=HOUR - 700) == []
    short = site.add(need(memory=1), app=2)
    [sent] = site.assign(now=HOUR - 700)
    assert sent.tasks == [short]


def test_a_node_whose_time_has_run_out_is_no_longer_kept_for_a_large_task() -> None:
    site = Site(nodes=1, until=HOUR)
    for app in (1, 2):
        site.placement.learn(AppId(app), 600.0 / app, X)
    site.add(app=2)
    assert len(site.assign()) == 1
    site.add(need(cores=4), app=1)
    site.add(Options(priority=-1), app=2)
    assert site.assign(now=100.0) == []
    [sent] = site.assign(now=HOUR - 700.0)
    assert sent.tasks[0].app == 2


def test_a_walltime_stands_in_for_what_nobody_measured() -> None:
    site = Site(nodes=1, until=HOUR)
    site.add(Options(walltime=1000.0))
    assert site.assign(now=HOUR - 1100) == []
    assert len(site.assign(now=HOUR - 1300)) == 1


def test_a_task_of_unknown_length_is_started_when_plenty_is_left() -> None:
    site = Site(nodes=1, until=HOUR)
    site.add()
    assert site.assign(now=HOUR - 299) == []
    assert len(site.assign(now=HOUR - 301)) == 1


def test_many_nodes_are_all_used_and_none_twice() -> None:
    site = Site(blocks=0)
    for node in range(100):
        site.open(f"n{node}")
    tasks = [site.add() for _ in range(401)]
    sent = site.assign()
    assert len({one.slot for one in sent}) == len(sent) == 400
    for task in tasks[:400]:
        site.end(task)
    [last] = site.assign()
    assert last.tasks == tasks[400:]
