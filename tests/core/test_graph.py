"""Who waits for whom, what a failure sets off, and what a retry reopens."""

import gc

import pytest

from nbflow.core.events import (
    CancelRequested,
    DepDone,
    DepFailed,
    Paused,
    Resumed,
    RetryRequested,
    Returned,
    Spawned,
    Submitted,
)
from nbflow.core.graph import waits_for
from nbflow.core.states import State
from nbflow.core.task import Failure, Options, Task

from .build import BOOM, World, make_task

S = State


@pytest.fixture
def world() -> World:
    return World()


def states(*tasks: Task) -> list[State]:
    return [task.state for task in tasks]


def foreign_failure(task: Task) -> DepFailed:
    return DepFailed(task.id, Failure(None, BOOM, task.id), is_foreign=True)


# Counting


def test_a_task_without_parents_is_queued_at_once(world: World) -> None:
    task = make_task(1)
    assert world.apply(Submitted(task.id, task)) == ["Enqueue 1"]


def test_a_task_waits_for_its_last_parent(world: World) -> None:
    first, second = world.submit(), world.submit()
    child = world.submit(first, second)
    assert world.finish(second) == ["Resolve 2"]
    assert child.state is S.WAITING
    assert world.finish(first) == ["Resolve 1", "Enqueue 3"]


def test_a_parent_that_is_done_is_not_waited_for(world: World) -> None:
    parent = world.submit()
    world.finish(parent)
    assert world.submit(parent).state is S.QUEUED


def test_a_finished_task_leaves_the_graph_and_lets_go_of_others(world: World) -> None:
    parent = world.submit()
    child = world.submit(parent)
    world.finish(parent)
    world.finish(child)
    assert world.graph.tasks == {}
    assert (child.parents, child.children, child.dependents) == ((), (), None)


def test_an_event_about_a_task_that_left_is_dropped(world: World) -> None:
    task = world.submit()
    world.finish(task)
    assert world.apply(CancelRequested(task.id)) == []
    assert world.apply(RetryRequested(task.id)) == []


def test_the_same_parent_twice_counts_twice_and_ends_twice(world: World) -> None:
    parent = world.submit()
    child = world.submit(parent, parent)
    world.fail(parent)
    world.apply(RetryRequested(child.id))
    assert states(parent, child) == [S.QUEUED, S.WAITING]
    world.finish(parent)
    assert child.state is S.QUEUED


def test_futures_of_others_are_waited_for_too(world: World) -> None:
    parent = world.submit()
    child = world.submit(parent, foreign=1)
    world.finish(parent)
    assert child.state is S.WAITING
    assert world.apply(DepDone(child.id, is_foreign=True)) == ["Enqueue 2"]


# Failing


def test_a_failure_reaches_all_descendants_and_names_its_root(world: World) -> None:
    root = world.submit()
    child = world.submit(root)
    grandchild = world.submit(child)
    assert world.fail(root) == ["Reject 1", "Reject 2", "Reject 3"]
    assert states(root, child, grandchild) == [S.FAILED, S.UPSTREAM_FAILED, S.UPSTREAM_FAILED]
    assert grandchild.failure is not None
    assert (grandchild.failure.root, grandchild.failure.error) == (root.id, BOOM)


def test_a_task_given_a_failed_parent_fails_at_once(world: World) -> None:
    root = world.submit()
    world.fail(root)
    late = make_task(9, root)
    assert world.apply(Submitted(late.id, late)) == ["Reject 9"]


def test_a_cancelled_parent_is_a_failure_without_an_error(world: World) -> None:
    root = world.submit()
    child = world.submit(root)
    assert world.apply(CancelRequested(root.id)) == ["Drop 1", "Withdraw 1", "Reject 2"]
    assert child.failure == Failure(None, None, root.id)


# Joining


def test_a_join_waits_for_its_children_and_holds_no_slot(world: World) -> None:
    join, child = world.submit(), world.submit()
    assert world.spawn(join, child) == []
    assert join.state is S.JOINING
    assert world.finish(child) == ["Resolve 2", "Resolve 1"]


def test_a_join_without_children_is_done(world: World) -> None:
    join = world.submit()
    assert world.spawn(join) == ["Resolve 1"]


def test_a_join_given_a_failed_child_fails(world: World) -> None:
    join, child = world.submit(), world.submit()
    world.fail(child)
    assert world.spawn(join, child) == ["Reject 1"]


def test_a_paused_join_given_a_failed_child_fails(world: World) -> None:
    join, child = world.submit(), world.submit()
    world.fail(child)
    world.start(join)
    world.apply(Paused(join.id))
    assert world.apply(Spawned(join.id, join.try_id, None, [child])) == ["Reject 1"]


def test_a_join_that_reports_twice_is_linked_once(world: World) -> None:
    join, child = world.submit(), world.submit()
    world.spawn(join, child)
    assert world.apply(Spawned(join.id, join.try_id, None, [child])) == []
    assert (join.awaiting, child.dependents) == (1, [join])


# Retrying


def test_a_retry_reopens_the_task_and_its_echoes_and_nothing_else(world: World) -> None:
    bad, good = world.submit(), world.submit()
    child = world.submit(bad, good)
    grandchild = world.submit(child)
    bystander = world.submit(good)
    world.finish(good)
    world.finish(bystander)
    world.fail(bad)
    assert world.apply(RetryRequested(bad.id)) == ["Reopen 1", "Enqueue 1", "Reopen 3", "Reopen 4"]
    assert states(bad, good, child, grandchild, bystander) == [S.QUEUED, S.DONE, S.WAITING, S.WAITING, S.DONE]
    assert (good.try_id, bad.try_id) == (1, 2)
    world.finish(bad)
    world.finish(child)
    assert world.finish(grandchild) == ["Resolve 4"]


def test_retrying_an_echo_retries_its_causes_first(world: World) -> None:
    first, second = world.submit(), world.submit()
    child = world.submit(world.submit(first), second)
    world.fail(first)
    world.fail(second)
    effects = world.apply(RetryRequested(child.id))
    assert sorted(effects[:-1]) == ["Enqueue 1", "Enqueue 2", "Reopen 1", "Reopen 2", "Reopen 3"]
    assert effects[-1] == "Reopen 4"


def test_a_descendant_waits_for_the_retry_of_its_other_failed_parent(world: World) -> None:
    first, second = world.submit(), world.submit()
    child = world.submit(first, second)
    world.fail(first)
    world.fail(second)
    world.apply(RetryRequested(first.id))
    assert states(first, second, child) == [S.QUEUED, S.FAILED, S.UPSTREAM_FAILED]
    world.finish(first)
    assert world.apply(RetryRequested(second.id)) == ["Reopen 2", "Enqueue 2", "Reopen 3"]
    assert "Enqueue 3" in world.finish(second)


def test_a_parent_that_ends_meanwhile_is_not_waited_for_again(world: World) -> None:
    bad, slow = world.submit(), world.submit()
    world.submit(bad, slow)
    world.fail(bad)
    world.finish(slow)
    world.apply(RetryRequested(bad.id))
    assert "Enqueue 3" in world.finish(bad)


def test_a_foreign_future_that_ends_meanwhile_is_not_counted_as_the_parent(world: World) -> None:
    bad = world.submit()
    child = world.submit(bad, foreign=1)
    world.fail(bad)
    world.apply(RetryRequested(bad.id))
    world.apply(DepDone(child.id, is_foreign=True))
    assert child.state is S.WAITING
    assert "Enqueue 2" in world.finish(bad)


def test_a_foreign_future_that_ended_before_the_retry_is_not_awaited(world: World) -> None:
    bad = world.submit()
    child = world.submit(bad, foreign=1)
    world.fail(bad)
    world.apply(DepDone(child.id, is_foreign=True))
    world.apply(RetryRequested(bad.id))
    assert "Enqueue 2" in world.finish(bad)


def test_a_failed_foreign_future_is_not_waited_for_again(world: World) -> None:
    task = world.submit(foreign=1)
    assert world.apply(foreign_failure(task)) == ["Reject 1"]
    assert world.apply(RetryRequested(task.id)) == ["Reopen 1", "Enqueue 1"]


def test_a_retry_with_other_parents_forgets_the_old_ones(world: World) -> None:
    bad, other = world.submit(), world.submit()
    child = world.submit(bad, foreign=1)
    world.fail(bad)
    assert world.apply(RetryRequested(child.id, parents=[other])) == ["Reopen 3"]
    assert states(bad, child) == [S.FAILED, S.WAITING]
    assert world.apply(DepDone(child.id, is_foreign=True)) == [], "that was about the old arguments"
    assert "Enqueue 3" in world.finish(other)
    world.apply(RetryRequested(bad.id))
    assert world.finish(bad) == ["Resolve 1"]


def test_a_retry_with_a_failed_new_parent_retries_that_too(world: World) -> None:
    bad, child = world.submit(), world.submit()
    world.fail(bad)
    world.fail(child)
    assert world.apply(RetryRequested(child.id, parents=[bad])) == ["Reopen 1", "Enqueue 1", "Reopen 2"]


def test_cancelled_parents_are_reopened_through_their_child(world: World) -> None:
    parent = world.submit()
    child = world.submit(parent)
    world.apply(CancelRequested(parent.id))
    assert world.apply(RetryRequested(child.id)) == ["Reopen 1", "Enqueue 1", "Reopen 2"]


def test_a_cancelled_child_stays_cancelled_when_its_parent_is_retried(world: World) -> None:
    parent = world.submit()
    child = world.submit(parent)
    world.apply(CancelRequested(child.id))
    world.fail(parent)
    assert world.apply(RetryRequested(parent.id)) == ["Reopen 1", "Enqueue 1"]
    world.finish(parent)
    assert world.apply(RetryRequested(child.id)) == ["Reopen 2", "Enqueue 2"]


def test_a_join_is_retried_through_its_failed_child(world: World) -> None:
    join, good, bad = world.submit(), world.submit(), world.submit()
    after = world.submit(join)
    world.spawn(join, good, bad)
    world.finish(good)
    assert world.fail(bad) == ["Reject 3", "Reject 1", "Reject 4"]
    assert world.apply(RetryRequested(join.id)) == ["Reopen 3", "Enqueue 3", "Reopen 1", "Reopen 4"]
    assert join.state is S.JOINING
    assert world.finish(bad) == ["Resolve 3", "Resolve 1", "Enqueue 4"]
    assert world.finish(after) == ["Resolve 4"]


def test_a_retried_child_takes_its_join_along(world: World) -> None:
    join, bad = world.submit(), world.submit()
    world.spawn(join, bad)
    world.fail(bad)
    assert world.apply(RetryRequested(bad.id)) == ["Reopen 2", "Enqueue 2", "Reopen 1"]


def test_a_join_runs_anew_when_asked(world: World) -> None:
    join, bad = world.submit(), world.submit()
    world.spawn(join, bad)
    world.fail(bad)
    assert world.apply(RetryRequested(join.id, is_anew=True)) == ["Reopen 1", "Enqueue 1"]
    assert bad.state is S.FAILED
    assert world.spawn(join) == ["Resolve 1"]


def test_a_join_whose_foreign_child_failed_runs_anew(world: World) -> None:
    join, child = world.submit(), world.submit()
    world.spawn(join, child, foreign=2)
    assert world.apply(foreign_failure(join)) == ["Reject 1"]
    assert world.apply(RetryRequested(join.id)) == ["Reopen 1", "Enqueue 1"]
    assert world.finish(child) == ["Resolve 2"], "the old child goes on by itself"
    assert world.apply(DepDone(join.id, is_foreign=True)) == []
    assert join.state is S.QUEUED


def test_a_cancelled_join_whose_children_ended_is_done_when_retried(world: World) -> None:
    join, child = world.submit(), world.submit()
    after = world.submit(join)
    world.spawn(join, child)
    world.apply(CancelRequested(join.id))
    world.finish(child)
    effects = world.apply(RetryRequested(join.id))
    assert effects == ["Reopen 1", "Resolve 1", "Reopen 3", "Enqueue 3"]
    assert after.state is S.QUEUED


def test_a_task_that_is_not_over_cannot_be_retried(world: World) -> None:
    task = world.submit()
    assert world.apply(RetryRequested(task.id)) == []


# What is noted


def test_every_change_is_noted_and_no_other(world: World) -> None:
    first, second = world.submit(), world.submit()
    child = world.submit(first, second)
    world.noted.clear()
    world.finish(first)
    world.apply(Returned(first.id, first.try_id, None))
    assert world.noted == [(1, "Dispatched", S.RUNNING), (1, "Returned", S.DONE)]
    world.finish(second)
    assert world.noted[-1] == (child.id, "DepDone", S.QUEUED)


def test_the_end_of_a_try_is_noted_while_the_task_is_paused(world: World) -> None:
    task = world.submit(options=Options(stages_out=True))
    world.start(task)
    world.apply(Paused(task.id))
    world.apply(Returned(task.id, task.try_id, None))
    assert world.noted[-1] == (1, "Returned", S.PAUSED)
    assert world.apply(Resumed(task.id)) == ["StageOut 1"]


# Cycles


def test_waits_for_sees_through_parents_and_children(world: World) -> None:
    root = world.submit()
    join = world.submit(root)
    after = world.submit(join)
    assert waits_for([after], root)
    assert waits_for([join], join)
    assert not waits_for([root], after)
    world.finish(root)
    child = world.submit()
    world.spawn(join, child)
    assert waits_for([after], child)


# Width and depth


def test_a_deep_chain_runs_fails_is_retried_and_is_forgotten_without_recursion() -> None:
    world = World()
    chain = [world.submit()]
    for _ in range(10_000):
        chain.append(world.submit(chain[-1]))
    world.fail(chain[0])
    assert chain[-1].state is S.UPSTREAM_FAILED
    world.apply(RetryRequested(chain[-1].id))
    assert waits_for([chain[-1]], chain[0])
    for task in chain[:5_000]:
        world.finish(task)
    del world, chain, task
    gc.collect()


def test_wide_fan_out_and_fan_in_touch_each_edge_a_fixed_number_of_times() -> None:
    world = World()
    width = 5_000
    root = world.submit()
    middle = [world.submit(root) for _ in range(width)]
    sink = world.submit(*middle)
    assert len(world.finish(root)) == 1 + width
    for task in middle:
        world.fail(task)
    assert (sink.state, sink.blocked, sink.awaiting) == (S.UPSTREAM_FAILED, width, width)
    for task in middle:
        world.apply(RetryRequested(task.id))
    assert (sink.state, sink.blocked, sink.awaiting) == (S.WAITING, 0, width)
    for task in middle:
        world.finish(task)
    assert sink.state is S.QUEUED
