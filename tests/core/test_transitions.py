"""The table: each of its rows, and the refusal of everything that it lacks."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nbflow.core.diagram import diagram
from nbflow.core.effects import Drop, Effect, WakeLater
from nbflow.core.events import (
    TRY_EVENTS,
    CancelRequested,
    DepDone,
    DepFailed,
    Dispatched,
    Event,
    MemoHit,
    MemoMissed,
    Paused,
    Released,
    Resumed,
    RetryDue,
    RetryRequested,
    Returned,
    Spawned,
    StagedIn,
    StagedOut,
    StagingFailed,
    Submitted,
    TryFailed,
    Undone,
)
from nbflow.core.former import Former
from nbflow.core.ids import TaskId, TryId
from nbflow.core.retry import RetryPolicy
from nbflow.core.states import FINAL, REOPENABLE, Cause, State
from nbflow.core.task import Failure, Options, Task
from nbflow.core.transitions import ON_ENTRY, TABLE, InvalidTransition, stay, step
from nbflow.errors import BlockTooShort

from .build import BOOM, SLOT, make_task, name

S = State
ID = TaskId(1)
T1 = TryId(1)
FAILURE = Failure(Cause.RAISED, BOOM, TaskId(7))
HOLDING = replace(FAILURE, holds=True)

EVENTS: dict[type[Event], Callable[[Task], Event]] = {
    Submitted: lambda task: Submitted(task.id, task),
    DepDone: lambda task: DepDone(task.id),
    DepFailed: lambda task: DepFailed(task.id, FAILURE),
    MemoHit: lambda task: MemoHit(task.id, task.try_id, 5),
    MemoMissed: lambda task: MemoMissed(task.id, task.try_id),
    StagedIn: lambda task: StagedIn(task.id, task.try_id),
    StagedOut: lambda task: StagedOut(task.id, task.try_id),
    StagingFailed: lambda task: StagingFailed(task.id, task.try_id, BOOM),
    Dispatched: lambda task: Dispatched(task.id, task.try_id, SLOT),
    Returned: lambda task: Returned(task.id, task.try_id, 5),
    Spawned: lambda task: Spawned(task.id, task.try_id, 5, ()),
    TryFailed: lambda task: TryFailed(task.id, task.try_id, Cause.RAISED, BOOM),
    RetryDue: lambda task: RetryDue(task.id, task.try_id),
    CancelRequested: lambda task: CancelRequested(task.id),
    Paused: lambda task: Paused(task.id),
    Resumed: lambda task: Resumed(task.id),
    Released: lambda task: Released(task.id),
    RetryRequested: lambda task: RetryRequested(task.id),
    Undone: lambda task: Undone(task.id, former(S.FAILED)),
}

MEMOIZED = Options(memoized=True)
STAGED = Options(stages_in=True, stages_out=True)
PATIENT = Options(retry=RetryPolicy(count=1, delay=2))
EAGER = Options(retry=RetryPolicy(count=1))
EAGER_STAGED = Options(retry=RetryPolicy(count=1), stages_in=True)
PLAIN = Options()


def former(state: State) -> Former:
    before = make_task(1)
    before.state, before.failure = state, FAILURE
    return Former.of(before, "call")


def task_in(state: State, options: Options = PLAIN, *, awaiting: int = 0, held: State = S.NEW) -> Task:
    task = make_task(1, options=options)
    task.state = state
    task.awaiting = awaiting
    task.held = held
    return task


def apply(task: Task, event: Event) -> list[str]:
    effects: list[Effect] = []
    step(task, event, effects)
    return [name(effect).split()[0] for effect in effects]


ROWS = [
    # from, options, awaiting, event -> to, effects
    (S.NEW, PLAIN, 0, Submitted, S.QUEUED, ["Enqueue"]),
    (S.NEW, PLAIN, 1, Submitted, S.WAITING, []),
    (S.NEW, MEMOIZED, 0, Submitted, S.READY, ["LookUp"]),
    (S.NEW, STAGED, 0, Submitted, S.STAGING_IN, ["StageIn"]),
    (S.WAITING, PLAIN, 1, DepDone, S.WAITING, []),
    (S.WAITING, PLAIN, 0, DepDone, S.QUEUED, ["Enqueue"]),
    (S.WAITING, MEMOIZED, 0, DepDone, S.READY, ["LookUp"]),
    (S.WAITING, STAGED, 0, DepDone, S.STAGING_IN, ["StageIn"]),
    (S.WAITING, PLAIN, 1, DepFailed, S.UPSTREAM_FAILED, ["Reject"]),
    (S.READY, MEMOIZED, 0, MemoHit, S.DONE, ["Resolve"]),
    (S.READY, MEMOIZED, 0, MemoMissed, S.QUEUED, ["Enqueue"]),
    (S.READY, STAGED, 0, MemoMissed, S.STAGING_IN, ["StageIn"]),
    (S.STAGING_IN, STAGED, 0, StagedIn, S.QUEUED, ["Enqueue"]),
    (S.STAGING_IN, STAGED, 0, StagingFailed, S.FAILED, ["Reject"]),
    (S.STAGING_IN, EAGER_STAGED, 0, StagingFailed, S.STAGING_IN, ["StageIn"]),
    (S.STAGING_IN, PATIENT, 0, StagingFailed, S.BACKOFF, ["WakeLater"]),
    (S.QUEUED, PLAIN, 0, Dispatched, S.RUNNING, []),
    (S.READY, PLAIN, 0, Dispatched, S.RUNNING, []),
    (S.WAITING, PLAIN, 1, Dispatched, S.RUNNING, []),
    (S.RUNNING, PLAIN, 1, DepDone, S.RUNNING, []),
    (S.RUNNING, PLAIN, 1, DepFailed, S.UPSTREAM_FAILED, ["Drop", "Reject"]),
    (S.RUNNING, PLAIN, 1, Returned, S.WAITING, []),
    (S.RUNNING, PLAIN, 1, TryFailed, S.WAITING, []),
    (S.RUNNING, PLAIN, 0, Returned, S.DONE, ["Resolve"]),
    (S.RUNNING, MEMOIZED, 0, Returned, S.DONE, ["Remember", "Resolve"]),
    (S.RUNNING, STAGED, 0, Returned, S.STAGING_OUT, ["StageOut"]),
    (S.RUNNING, PLAIN, 0, Spawned, S.DONE, ["Resolve"]),
    (S.RUNNING, PLAIN, 1, Spawned, S.JOINING, []),
    (S.RUNNING, PLAIN, 0, TryFailed, S.FAILED, ["Reject"]),
    (S.RUNNING, EAGER, 0, TryFailed, S.QUEUED, ["Enqueue"]),
    (S.RUNNING, EAGER_STAGED, 0, TryFailed, S.STAGING_IN, ["StageIn"]),
    (S.RUNNING, PATIENT, 0, TryFailed, S.BACKOFF, ["WakeLater"]),
    (S.STAGING_OUT, STAGED, 0, StagedOut, S.DONE, ["Resolve"]),
    (S.STAGING_OUT, STAGED, 0, StagingFailed, S.FAILED, ["Reject"]),
    (S.JOINING, PLAIN, 1, DepDone, S.JOINING, []),
    (S.JOINING, PLAIN, 0, DepDone, S.DONE, ["Resolve"]),
    (S.JOINING, MEMOIZED, 0, DepDone, S.DONE, ["Remember", "Resolve"]),
    (S.JOINING, PLAIN, 1, DepFailed, S.FAILED, ["Reject"]),
    (S.READY, MEMOIZED, 1, DepFailed, S.UPSTREAM_FAILED, ["Reject"]),
    (S.STAGING_IN, STAGED, 1, DepFailed, S.UPSTREAM_FAILED, ["Drop", "Reject"]),
    (S.QUEUED, PLAIN, 1, DepFailed, S.UPSTREAM_FAILED, ["Drop", "Reject"]),
    (S.STAGING_OUT, STAGED, 1, DepFailed, S.UPSTREAM_FAILED, ["Drop", "Reject"]),
    (S.BACKOFF, PATIENT, 1, DepFailed, S.UPSTREAM_FAILED, ["Reject"]),
    (S.HELD, PLAIN, 1, DepFailed, S.UPSTREAM_FAILED, ["Reject"]),
    (S.HELD, PLAIN, 1, Released, S.UPSTREAM_FAILED, ["Reject"]),
    (S.HELD, PLAIN, 1, CancelRequested, S.CANCELLED, ["Withdraw"]),
    (S.HELD, PLAIN, 1, RetryRequested, S.WAITING, []),
    (S.HELD, PLAIN, 0, Undone, S.FAILED, ["Reject"]),
    (S.BACKOFF, PATIENT, 0, RetryDue, S.QUEUED, ["Enqueue"]),
    (S.BACKOFF, MEMOIZED, 0, RetryDue, S.READY, ["LookUp"]),
    (S.BACKOFF, STAGED, 0, RetryDue, S.STAGING_IN, ["StageIn"]),
    (S.FAILED, PLAIN, 0, RetryRequested, S.QUEUED, ["Reopen", "Enqueue"]),
    (S.UPSTREAM_FAILED, PLAIN, 1, RetryRequested, S.WAITING, ["Reopen"]),
    (S.CANCELLED, MEMOIZED, 0, RetryRequested, S.READY, ["Reopen", "LookUp"]),
    (S.WAITING, PLAIN, 1, Undone, S.FAILED, ["Reject"]),
    (S.READY, MEMOIZED, 0, Undone, S.FAILED, ["Reject"]),
    (S.STAGING_IN, STAGED, 0, Undone, S.FAILED, ["Drop", "Reject"]),
    (S.QUEUED, PLAIN, 0, Undone, S.FAILED, ["Drop", "Reject"]),
    (S.RUNNING, PLAIN, 0, Undone, S.FAILED, ["Drop", "Reject"]),
    (S.STAGING_OUT, STAGED, 0, Undone, S.FAILED, ["Drop", "Reject"]),
    (S.JOINING, PLAIN, 1, Undone, S.FAILED, ["Reject"]),
    (S.BACKOFF, PATIENT, 0, Undone, S.FAILED, ["Reject"]),
    (S.DONE, PLAIN, 0, Undone, S.FAILED, ["Reopen", "Reject"]),
    (S.FAILED, PLAIN, 0, Undone, S.FAILED, ["Reopen", "Reject"]),
    # What comes late or twice changes nothing.
    (S.STAGING_OUT, STAGED, 0, Returned, S.STAGING_OUT, []),
    (S.STAGING_OUT, STAGED, 0, TryFailed, S.STAGING_OUT, []),
    (S.JOINING, PLAIN, 1, Spawned, S.JOINING, []),
    (S.FAILED, PLAIN, 0, DepFailed, S.FAILED, []),
    (S.HELD, PLAIN, 1, DepDone, S.HELD, []),
    (S.RUNNING, PLAIN, 0, Released, S.RUNNING, []),
    (S.DONE, PLAIN, 0, CancelRequested, S.DONE, []),
    (S.DONE, PLAIN, 0, Returned, S.DONE, []),
]


@pytest.mark.parametrize(
    ("before", "options", "awaiting", "kind", "after", "effects"),
    ROWS,
    ids=[f"{row[0].name}-{row[3].__name__}-{row[4].name}-{i}" for i, row in enumerate(ROWS)],
)
def test_row(
    before: State, options: Options, awaiting: int, kind: type[Event], after: State, effects: list[str]
) -> None:
    task = task_in(before, options, awaiting=awaiting)
    assert apply(task, EVENTS[kind](task)) == effects
    assert task.state is after


def test_every_row_of_the_table_is_tested_but_cancelling_and_pausing() -> None:
    aside = (CancelRequested, Paused, Resumed)
    of_table = {
        (state, row.event)
        for row in TABLE
        for state in row.states
        if row.event not in aside and row.rule is not stay
    }
    untested = of_table - {(row[0], row[3]) for row in ROWS}
    assert {state for state, _ in untested} <= FINAL | {S.PAUSED}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("kind", EVENTS)
def test_every_pair_leads_where_the_table_says_or_is_refused(state: State, kind: type[Event]) -> None:
    rows = [row for row in TABLE if state in row.states and row.event is kind]
    assert len(rows) <= 1, "two rows for one pair"
    # A paused task answers for the state that it is held in; RUNNING is one of them.
    task = task_in(state, awaiting=1, held=S.RUNNING)
    is_late = kind in TRY_EVENTS and state in FINAL | {S.HELD}
    asked = (Paused, Resumed, Released, CancelRequested, Undone)
    is_of_held_state = state is S.PAUSED and kind not in asked
    if is_of_held_state:
        rows = [row for row in TABLE if S.RUNNING in row.states and row.event is kind and rows]
    if rows or is_late:
        apply(task, EVENTS[kind](task))
        allowed = {target for row in rows for target in row.targets} | {state}
        assert task.state in allowed
    else:
        with pytest.raises(InvalidTransition, match=f"task 1 is {state.name}"):
            apply(task, EVENTS[kind](task))
        assert task.state is state


@pytest.mark.parametrize("kind", sorted(TRY_EVENTS, key=lambda kind: kind.__name__))
@pytest.mark.parametrize("state", S)
def test_an_event_about_another_try_is_dropped(state: State, kind: type[Event]) -> None:
    task = task_in(state)
    task.try_id = TryId(2)
    event = EVENTS[kind](task)
    event.try_id = T1
    assert apply(task, event) == []
    assert task.state is state


# Trying again


def test_another_try_has_another_id_and_its_cost_is_kept() -> None:
    task = task_in(S.RUNNING, EAGER)
    apply(task, TryFailed(ID, T1, Cause.RAISED, BOOM))
    assert (task.try_id, task.spent, task.state) == (2, 1.0, S.QUEUED)
    apply(task, Dispatched(ID, TryId(2), SLOT))
    apply(task, TryFailed(ID, TryId(2), Cause.RAISED, BOOM))
    assert (task.state, task.failure) == (S.FAILED, Failure(Cause.RAISED, BOOM, ID))


def test_a_back_off_wakes_the_next_try() -> None:
    task = task_in(S.RUNNING, PATIENT)
    effects: list[Effect] = []
    step(task, TryFailed(ID, T1, Cause.RAISED, BOOM), effects)
    assert effects == [WakeLater(task, 2)]
    assert task.try_id == 2


@pytest.mark.parametrize("cause", [Cause.LOST, Cause.OOM])
def test_a_task_whose_worker_died_travels_alone_and_is_charged_only_then(cause: Cause) -> None:
    task = task_in(S.RUNNING)
    apply(task, TryFailed(ID, T1, cause, BOOM, alone=False))
    assert (task.alone, task.losses, task.spent, task.state) == (True, 0, 0.0, S.QUEUED)
    apply(task, Dispatched(ID, TryId(2), SLOT))
    apply(task, TryFailed(ID, TryId(2), cause, BOOM, alone=True))
    assert (task.losses, task.state) == (1, S.FAILED)


def test_reopening_forgives_what_was_spent() -> None:
    task = task_in(S.FAILED)
    task.spent, task.losses, task.failure, task.value = 3.0, 2, FAILURE, "old"
    apply(task, RetryRequested(ID))
    assert (task.spent, task.losses, task.failure, task.value, task.try_id) == (0.0, 0, None, None, 2)


# Cancelling


@pytest.mark.parametrize("state", [state for state in S if S.NEW < state < S.DONE])
def test_cancelling_ends_any_task_and_drops_what_is_under_way(state: State) -> None:
    under_way = (S.STAGING_IN, S.QUEUED, S.RUNNING, S.STAGING_OUT)
    expected = ["Drop", "Withdraw"] if state in under_way else ["Withdraw"]
    assert apply(task_in(state), CancelRequested(ID)) == expected
    paused = task_in(S.PAUSED, held=state)
    assert apply(paused, CancelRequested(ID)) == expected
    assert paused.state is S.CANCELLED


# Holding


@pytest.mark.parametrize("state", [S.WAITING, S.RUNNING, S.JOINING])
def test_what_waits_for_a_failure_that_holds_is_held(state: State) -> None:
    task = task_in(state, awaiting=1)
    assert apply(task, DepFailed(ID, HOLDING)) == (["Drop"] if state is S.RUNNING else [])
    assert (task.state, task.failure) == (S.HELD, HOLDING)
    assert apply(task, DepFailed(ID, replace(HOLDING, root=TaskId(8)))) == []
    assert task.failure == HOLDING, "the first is named"


def test_a_hold_that_is_given_up_ends_a_task_as_without_it() -> None:
    for state, after in ((S.WAITING, S.UPSTREAM_FAILED), (S.JOINING, S.FAILED)):
        task = task_in(state, awaiting=1)
        apply(task, DepFailed(ID, HOLDING))
        assert apply(task, Released(ID)) == ["Reject"]
        assert (task.state, task.failure) == (after, FAILURE)


def test_a_paused_task_that_is_held_is_not_paused_any_more() -> None:
    task = task_in(S.WAITING, awaiting=1)
    apply(task, Paused(ID))
    assert apply(task, DepFailed(ID, HOLDING)) == []
    assert task.state is S.HELD
    assert apply(task, Resumed(ID)) == []


# Undoing


@pytest.mark.parametrize("state", sorted(REOPENABLE))
def test_undoing_restores_how_it_had_ended(state: State) -> None:
    task = task_in(S.DONE)
    effects = ["Reopen", *{S.HELD: [], S.CANCELLED: ["Withdraw"]}.get(state, ["Reject"])]
    assert apply(task, Undone(ID, former(state))) == effects
    assert (task.state, task.failure, task.try_id) == (state, FAILURE, 2)


# Pausing


def test_pausing_a_queued_task_takes_it_out_and_resuming_puts_it_back() -> None:
    task = task_in(S.QUEUED)
    effects: list[Effect] = []
    step(task, Paused(ID), effects)
    assert effects == [Drop(task, T1)]
    assert apply(task, Resumed(ID)) == ["Enqueue"]
    assert task.state is S.QUEUED


@pytest.mark.parametrize("state", [S.WAITING, S.READY, S.STAGING_IN, S.RUNNING, S.STAGING_OUT, S.BACKOFF])
def test_what_is_under_way_goes_on_while_paused_and_is_not_asked_for_twice(state: State) -> None:
    task = task_in(state, awaiting=1)
    assert apply(task, Paused(ID)) == []
    assert apply(task, Paused(ID)) == []
    assert apply(task, Resumed(ID)) == []
    assert task.state is state


@pytest.mark.parametrize(
    ("held", "options", "kind", "due"),
    [
        (S.WAITING, PLAIN, DepDone, "Enqueue"),
        (S.WAITING, MEMOIZED, DepDone, "LookUp"),
        (S.READY, MEMOIZED, MemoMissed, "Enqueue"),
        (S.STAGING_IN, STAGED, StagedIn, "Enqueue"),
        (S.RUNNING, STAGED, Returned, "StageOut"),
        (S.RUNNING, EAGER, TryFailed, "Enqueue"),
        (S.RUNNING, PATIENT, TryFailed, "WakeLater"),
        (S.STAGING_IN, EAGER_STAGED, StagingFailed, "StageIn"),
        (S.BACKOFF, STAGED, RetryDue, "StageIn"),
    ],
)
def test_what_follows_while_paused_is_asked_for_on_resuming(
    held: State, options: Options, kind: type[Event], due: str
) -> None:
    task = task_in(held, options)
    apply(task, Paused(ID))
    assert apply(task, EVENTS[kind](task)) == []
    assert task.state is S.PAUSED
    assert apply(task, Resumed(ID)) == [due]


@pytest.mark.parametrize(
    ("held", "kind", "after"),
    [
        (S.RUNNING, Returned, S.DONE),
        (S.RUNNING, TryFailed, S.FAILED),
        (S.WAITING, DepFailed, S.UPSTREAM_FAILED),
        (S.READY, MemoHit, S.DONE),
        (S.JOINING, DepDone, S.DONE),
        (S.JOINING, DepFailed, S.FAILED),
        (S.STAGING_OUT, StagedOut, S.DONE),
    ],
)
def test_a_paused_task_may_end(held: State, kind: type[Event], after: State) -> None:
    task = task_in(held)
    apply(task, Paused(ID))
    apply(task, EVENTS[kind](task))
    assert task.state is after


def test_resuming_what_is_not_paused_changes_nothing() -> None:
    task = task_in(S.RUNNING)
    assert apply(task, Resumed(ID)) == []


# The picture


def test_entering_a_state_asks_for_its_effect() -> None:
    asking = {S.READY, S.STAGING_IN, S.QUEUED, S.STAGING_OUT, S.BACKOFF} | FINAL
    assert set(ON_ENTRY) == asking


def test_the_diagram_shows_every_state_but_paused_and_cancelled_and_draws_no_idle_arrow() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    text = "\n".join(lines)
    assert {state.name for state in S if state.name in text} >= {s.name for s in S if s is not S.PAUSED}
    assert "    RUNNING --> DONE: Returned, Spawned" in lines
    assert "PAUSED" not in text


@pytest.mark.parametrize(("seconds", "after"), [(70.0, S.QUEUED), (95.0, S.FAILED)])
def test_a_task_that_had_all_of_a_block_and_was_not_through_fails(seconds: float, after: State) -> None:
    task = make_task(1)
    task.state = S.RUNNING
    step(task, TryFailed(ID, T1, Cause.EXPIRED, BOOM, seconds=seconds, lifetime=100.0), [])
    assert task.state is after
    assert task.cut == seconds
    if after is S.FAILED:
        assert task.failure is not None
        assert isinstance(task.failure.error, BlockTooShort)
        assert "walltime=" in str(task.failure.error)
