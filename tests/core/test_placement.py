"""Which task goes to which slot, and which tasks travel together."""

import pytest

from nbflow.core.capacity import Capacity
from nbflow.core.ids import AppId, ExecutorId, SlotId, TaskId, TryId
from nbflow.core.placement import BUNDLE_LIMIT, BUNDLE_SECONDS, Placement
from nbflow.core.states import State
from nbflow.core.task import Options, Resources, Task

from .build import make_task

X, Y = ExecutorId("x"), ExecutorId("y")
TWO_CORES = Options(resources=Resources(cores=2))


def open_pool(placement: Placement, slots: int, executor: ExecutorId = X, **total: int) -> None:
    names = tuple(SlotId(f"{executor}/{n}") for n in range(1, slots + 1))
    resources = Resources(**{"cores": slots, **total})
    placement.open_pool(executor, Capacity(names, resources, keeps_results=True))


class Queue:
    """A placement, and the tasks given to it in the order of their ids."""

    def __init__(self, slots: int = 2, **total: int) -> None:
        self.placement = Placement()
        self._ids = 0
        if slots:
            open_pool(self.placement, slots, **total)

    def add(self, options: Options | None = None, app: int = 1) -> Task:
        self._ids += 1
        task = make_task(self._ids, options=options, app=app)
        task.state = State.QUEUED
        self.placement.enqueue(task)
        return task

    def wait_for(self, *parents: Task, options: Options | None = None) -> Task:
        self._ids += 1
        task = make_task(self._ids, *parents, options=options)
        task.state = State.WAITING
        task.awaiting = len(parents)
        for parent in parents:
            parent.dependents = [*(parent.dependents or ()), task]
        return task

    def assign(self) -> list[list[int]]:
        """Let tasks leave; return the ids in each bundle."""
        bundles = [assignment.tasks for assignment in self.placement.assign(0.0)]
        for task in (task for bundle in bundles for task in bundle):
            task.state = State.RUNNING
        return [[task.id for task in bundle] for bundle in bundles]

    def end(self, task: Task | int) -> None:
        self.placement.release(TaskId(task if isinstance(task, int) else task.id), TryId(1), 0.0)


# Slots


def test_unmeasured_tasks_leave_one_to_a_slot_oldest_first() -> None:
    queue = Queue()
    for _ in range(3):
        queue.add()
    assert queue.assign() == [[1], [2]]
    assert queue.assign() == []
    queue.end(2)
    assert queue.assign() == [[3]]


def test_nothing_leaves_without_a_slot_and_all_leaves_when_one_opens() -> None:
    queue = Queue(slots=0)
    queue.add()
    assert queue.assign() == []
    open_pool(queue.placement, 1)
    assert queue.assign() == [[1]]


def test_a_slot_is_known_once() -> None:
    queue = Queue(slots=1, cores=2)
    queue.placement.open_slot(X, SlotId("x/1"))
    queue.add()
    queue.add()
    assert queue.assign() == [[1]]
    queue.placement.open_slot(X, SlotId("x/2"))
    assert queue.assign() == [[2]]


def test_a_closed_slot_gives_back_what_it_had_in_hand_and_its_resources() -> None:
    queue = Queue(slots=1)
    queue.add()
    queue.assign()
    assert queue.placement.close_slot(SlotId("x/1")) == [(1, 1)]
    assert queue.placement.close_slot(SlotId("x/1")) == []
    queue.end(1)
    queue.placement.open_slot(X, SlotId("x/2"))
    queue.add()
    assert queue.assign() == [[2]]
    assert queue.placement.executor_of(TaskId(2), TryId(1)) == X


def test_what_is_in_hand_is_known_until_it_is_released() -> None:
    queue = Queue()
    task = queue.add()
    assert not queue.placement.is_busy()
    queue.assign()
    assert queue.placement.is_busy()
    queue.end(task)
    queue.end(task)
    assert not queue.placement.is_busy()
    assert queue.placement.executor_of(task.id, task.try_id) is None


# Bundles


def test_short_tasks_travel_together_up_to_the_bundles_seconds() -> None:
    queue = Queue(slots=1)
    queue.placement.learn(AppId(1), 0.01, X)
    for _ in range(20):
        queue.add()
    sent = [task for bundle in queue.assign() for task in bundle]
    assert sent == [1, 2, 3, 4, 5], f"{BUNDLE_SECONDS} s of work are in hand, and not much more"
    assert queue.assign() == []


def test_a_few_short_tasks_are_shared_among_the_slots() -> None:
    queue = Queue(slots=2)
    queue.placement.learn(AppId(1), 1e-5, X)
    for _ in range(8):
        queue.add()
    first, second, *rest = queue.assign()
    assert (len(first), len(second)) == (2, 2)
    assert sorted(task for bundle in (first, second, *rest) for task in bundle) == list(range(1, 9))


def test_a_bundle_has_a_limit() -> None:
    queue = Queue(slots=1)
    queue.placement.learn(AppId(1), 0.0, X)
    for _ in range(3 * BUNDLE_LIMIT):
        queue.add()
    assert max(map(len, queue.assign())) <= BUNDLE_LIMIT


def test_a_slot_with_little_in_hand_takes_more_when_it_gets_through() -> None:
    queue = Queue(slots=1)
    queue.placement.learn(AppId(1), 0.02, X)
    for _ in range(6):
        queue.add()
    assert queue.assign() == [[1, 2], [3]]
    queue.end(1)
    assert queue.assign() == [[4]]


@pytest.mark.parametrize("app", [1, 2], ids=["long", "unmeasured"])
def test_a_long_or_unmeasured_task_travels_alone(app: int) -> None:
    queue = Queue(slots=1)
    queue.placement.learn(AppId(1), 10.0, X)
    queue.placement.learn(AppId(3), 1e-4, X)
    queue.add(app=app)
    queue.add(app=3)
    assert queue.assign() == [[1]]
    assert queue.assign() == []


def test_a_task_with_a_walltime_or_once_lost_travels_alone() -> None:
    queue = Queue(slots=3)
    queue.placement.learn(AppId(1), 1e-4, X)
    queue.add(Options(walltime=5))
    queue.add().alone = True
    queue.add()
    assert queue.assign() == [[1], [2], [3]]
    queue.add(Options(walltime=5))
    assert queue.assign() == []


def test_one_core_is_one_core_however_it_is_written() -> None:
    queue = Queue(slots=1)
    queue.placement.learn(AppId(1), 1e-4, X)
    for _ in range(4):
        queue.add(Options(resources=Resources(cores=1)))
    assert len(queue.assign()[0]) > 1


def test_the_measure_of_an_app_follows_what_it_takes_now() -> None:
    queue = Queue(slots=1)
    queue.placement.learn(AppId(1), 1e-4, X)
    for _ in range(30):
        queue.placement.learn(AppId(1), 1.0, X)
    queue.add()
    queue.add()
    assert queue.assign() == [[1]]


def test_what_a_slow_one_holds_up_is_named_while_another_slot_is_idle() -> None:
    queue = Queue(slots=2)
    queue.placement.learn(AppId(1), 1e-3, X)
    for _ in range(8):
        queue.add()
    first, second, *_ = queue.assign()
    assert list(queue.placement.stalled(9.0)) == [], "no slot is idle"
    for task in second:
        queue.end(task)
    in_hand = [task for task in range(1, 9) if queue.placement.executor_of(TaskId(task), TryId(1))]
    while len(in_hand) > len(first):
        queue.end(in_hand.pop())
    # The first may not have started either: it waits to be packed with the others.
    expected = [(X, [(TaskId(task), TryId(1)) for task in in_hand])]
    assert list(queue.placement.stalled(9.0)) == expected
    assert list(queue.placement.stalled(9.1)) == [], "once in a while is enough"
    for task in in_hand[1:]:
        queue.end(task)
    for _ in range(8):
        queue.add()
    others = {assignment.slot for assignment in queue.placement.assign(9.2)}
    assert len(others) == 1, "the slow one's slot is given no more"


# Order


def test_a_higher_priority_leaves_first() -> None:
    queue = Queue(slots=1)
    queue.add()
    queue.add(Options(priority=5))
    queue.add(Options(priority=-5))
    order = []
    for _ in range(3):
        [[task]] = queue.assign()
        order.append(task)
        queue.end(task)
    assert order == [2, 1, 3]


def test_equal_priorities_leave_by_age_whatever_they_need() -> None:
    queue = Queue(slots=4)
    memory = Options(resources=Resources(memory=0, cores=1), executors=frozenset({X}))
    for options in (None, memory, None, memory):
        queue.add(options)
    assert queue.assign() == [[1], [2], [3], [4]]


def test_many_priorities_cost_no_more_than_their_tasks() -> None:
    queue = Queue(slots=1)
    for priority in range(300):
        queue.add(Options(priority=priority))
    order = []
    while bundles := queue.assign():
        [[task]] = bundles
        order.append(task)
        queue.end(task)
    assert order == list(range(300, 0, -1))


# Resources


def test_two_cores_take_two_slots_worth() -> None:
    queue = Queue(slots=2)
    queue.add(TWO_CORES)
    queue.add()
    assert queue.assign() == [[1]]
    queue.end(1)
    assert queue.assign() == [[2]]


def test_a_large_task_is_not_starved_by_small_ones() -> None:
    queue = Queue(slots=2)
    queue.add()
    queue.add()
    assert queue.assign() == [[1], [2]]
    queue.add(TWO_CORES)
    queue.add()
    queue.end(1)
    assert queue.assign() == [], "the free core is kept for the older, larger task"
    queue.end(2)
    assert queue.assign() == [[3]]
    queue.end(3)
    assert queue.assign() == [[4]]


@pytest.mark.parametrize("need", [Resources(memory=6), Resources(gpus=1)], ids=["memory", "gpus"])
def test_memory_and_gpus_are_shared_by_the_slots_of_a_pool(need: Resources) -> None:
    queue = Queue(slots=2, memory=10, gpus=1)
    queue.add(Options(resources=need))
    queue.add(Options(resources=need))
    assert queue.assign() == [[1]]
    queue.end(1)
    assert queue.assign() == [[2]]


def test_what_never_fits_is_known_beforehand() -> None:
    placement = Queue(slots=2, memory=10).placement
    assert placement.can_ever_place(Options(resources=Resources(cores=2, memory=10)))
    assert not placement.can_ever_place(Options(resources=Resources(cores=3)))
    assert not placement.can_ever_place(Options(resources=Resources(memory=11)))
    assert not placement.can_ever_place(Options(executors=frozenset({Y})))


# Executors


def test_a_task_goes_only_to_the_executors_it_names() -> None:
    queue = Queue(slots=1)
    open_pool(queue.placement, 1, Y)
    only_y = Options(executors=frozenset({Y}))
    queue.add(only_y)
    queue.add(only_y)
    queue.add()
    assert {a.executor: [t.id for t in a.tasks] for a in queue.placement.assign(0.0)} == {Y: [1], X: [3]}


def test_a_task_that_names_none_prefers_the_first_and_never_goes_to_one_that_is_no_default() -> None:
    queue = Queue(slots=1)
    queue.placement.open_pool(Y, Capacity((SlotId("y/1"),), Resources(1)), is_default=False)
    queue.add()
    queue.add()
    assert queue.assign() == [[1]]


# Leaving the queue


def test_a_task_that_is_no_longer_queued_is_passed_over() -> None:
    queue = Queue(slots=2)
    queue.add().state = State.CANCELLED
    queue.add()
    assert queue.assign() == [[2]]


def test_a_task_that_comes_back_before_it_left_is_in_line_once() -> None:
    queue = Queue(slots=2)
    task = queue.add()
    queue.placement.enqueue(task)
    queue.add()
    assert queue.assign() == [[1], [2]]
    assert queue.assign() == []


def test_a_task_that_comes_back_with_other_options_leaves_by_those() -> None:
    queue = Queue(slots=2)
    task = queue.add()
    queue.add()
    task.options = Options(priority=-1)
    queue.placement.enqueue(task)
    queue.add()
    assert queue.assign() == [[2], [3]]
    queue.end(2)
    assert queue.assign() == [[1]]


# Followers


def follow(queue: Queue, *parents: Task, options: Options | None = None) -> Task:
    """Add a task that waits for `parents` and may follow them."""
    task = queue.wait_for(*parents, options=options)
    task.can_follow = True
    return task


@pytest.fixture
def known() -> Queue:
    """A queue whose app is known to be short."""
    queue = Queue()
    queue.placement.learn(AppId(1), 1e-4, X)
    return queue


def test_a_chain_leaves_in_one_bundle(known: Queue) -> None:
    task = known.add()
    for _ in range(9):
        task = follow(known, task)
    assert known.assign() == [list(range(1, 11))]


def test_a_task_follows_when_all_its_parents_are_there(known: Queue) -> None:
    tasks = [known.add() for _ in range(8)]
    follow(known, *tasks[:2])
    follow(known, *tasks[3:5])
    assert known.assign()[:2] == [[1, 2, 9], [3, 4]]


def test_what_has_two_dependents_is_not_followed_as_they_could_run_side_by_side(known: Queue) -> None:
    first = known.add()
    follow(known, first)
    follow(known, first)
    assert known.assign() == [[1]]


def test_a_parent_elsewhere_is_waited_for(known: Queue) -> None:
    here, elsewhere = known.add(), known.add(app=2)
    follow(known, here, elsewhere)
    assert known.assign() == [[1], [2]]


def test_a_task_that_waits_for_more_than_its_parents_does_not_follow(known: Queue) -> None:
    task = follow(known, known.add())
    task.awaiting += 1
    assert known.assign() == [[1]]


@pytest.mark.parametrize("options", [TWO_CORES, Options(priority=1), Options(walltime=1.0)])
def test_a_task_of_another_lane_does_not_follow(known: Queue, options: Options) -> None:
    follow(known, known.add(), options=options)
    assert known.assign() == [[1]]


@pytest.mark.parametrize("options", [Options(memoized=True), Options(stages_in=True)])
def test_what_is_looked_up_or_staged_first_does_not_follow(known: Queue, options: Options) -> None:
    follow(known, known.add(), options=options)
    assert known.assign() == [[1]]


def test_a_chain_leaves_as_far_as_a_bundle_reaches(known: Queue) -> None:
    known.placement.learn(AppId(2), BUNDLE_SECONDS / 3, X)
    task = known.add(app=2)
    for _ in range(9):
        task = follow(known, task)
        task.app = AppId(2)
    assert known.assign() == [[1, 2]]


def test_nothing_follows_where_results_are_not_kept() -> None:
    queue = Queue(slots=0)
    queue.placement.open_pool(X, Capacity((SlotId("x/1"),), Resources(cores=1)))
    queue.placement.learn(AppId(1), 1e-4, X)
    follow(queue, queue.add())
    assert queue.assign() == [[1]]
