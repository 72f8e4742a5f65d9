"""Own a task's life as one table: in which state which event leads where, and what must be done then.

A row's rule decides the next state; entering a state asks for that state's effect (`ON_ENTRY`). Rules change
nothing but their task's own record. The documentation's diagram is drawn from `TABLE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

from nbflow.core.effects import (
    Drop,
    Effect,
    Enqueue,
    LookUp,
    Reject,
    Remember,
    Reopen,
    Resolve,
    StageIn,
    StageOut,
    WakeLater,
    Withdraw,
)
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
from nbflow.core.expiry import is_too_long, outlived
from nbflow.core.ids import TryId
from nbflow.core.retry import NO_RETRY, decide
from nbflow.core.states import DEATHS, FINAL, REOPENABLE, Cause, State
from nbflow.core.task import Failure, Task

__all__ = ["ON_ENTRY", "TABLE", "InvalidTransition", "Row", "stay", "step", "while_paused"]

S = State
DONE = State.DONE
Rule = Callable[[Task, Any, list[Effect]], State]


@final
class InvalidTransition(Exception):
    """Say that an event cannot happen in a state: a defect of nbflow, never of its user."""


# Rules: (task, event, effects) -> next state


def _ready(task: Task, effects: list[Effect]) -> State:
    """Return where a task goes that waits for nothing more."""
    if task.options.memoized or task.bond is not None:
        return S.READY
    return S.STAGING_IN if task.options.stages_in else S.QUEUED


def submitted(task: Task, event: Submitted, effects: list[Effect]) -> State:
    return S.WAITING if task.awaiting else _ready(task, effects)


def dep_done(task: Task, event: DepDone, effects: list[Effect]) -> State:
    return S.WAITING if task.awaiting else _ready(task, effects)


def dep_failed(task: Task, event: DepFailed, effects: list[Effect]) -> State:
    task.failure = event.failure
    return _held_in(task, S.WAITING) if event.failure.holds else S.UPSTREAM_FAILED


def _held_in(task: Task, state: State) -> State:
    task.held = state
    return S.HELD


def one_more_failed(task: Task, event: DepFailed, effects: list[Effect]) -> State:
    # Of several that hold the first is named; one that does not hold settles it.
    return S.HELD if event.failure.holds else _let_go(task, event.failure)


def released(task: Task, event: Released, effects: list[Effect]) -> State:
    return _let_go(task, event.failure or task.failure)


def _let_go(task: Task, failure: Failure | None) -> State:
    """End a held task as it would have ended without the hold; so does what comes to wait for it later."""
    task.failure = failure and replace(failure, holds=False)
    return S.FAILED if task.held is S.JOINING else S.UPSTREAM_FAILED


def memo_hit(task: Task, event: MemoHit, effects: list[Effect]) -> State:
    task.value = event.value
    return S.DONE


def memo_missed(task: Task, event: MemoMissed, effects: list[Effect]) -> State:
    return S.STAGING_IN if task.options.stages_in else S.QUEUED


def staged_in(task: Task, event: StagedIn, effects: list[Effect]) -> State:
    return S.QUEUED


def staging_failed(task: Task, event: StagingFailed, effects: list[Effect]) -> State:
    return _try_again(task, TryFailed(event.task, event.try_id, Cause.STAGING, event.error))


def dispatched(task: Task, event: Dispatched, effects: list[Effect]) -> State:
    return S.RUNNING


def parent_failed(task: Task, event: DepFailed, effects: list[Effect]) -> State:
    _stop(task, effects)
    return dep_failed(task, event, effects)


def returned(task: Task, event: Returned, effects: list[Effect]) -> State:
    if task.awaiting:
        return _void(task)
    task.value = event.value
    return S.STAGING_OUT if task.options.stages_out else _done(task, effects)


def _void(task: Task) -> State:
    """Take back a try that was sent ahead: the result of a parent, which it took there, did not arrive."""
    task.try_id = TryId(task.try_id + 1)
    return S.WAITING


def _done(task: Task, effects: list[Effect]) -> State:
    if task.options.memoized:
        effects.append(Remember(task))
    return S.DONE


def spawned(task: Task, event: Spawned, effects: list[Effect]) -> State:
    task.value = event.value
    return S.JOINING if task.awaiting else _done(task, effects)


def child_done(task: Task, event: DepDone, effects: list[Effect]) -> State:
    return S.JOINING if task.awaiting else _done(task, effects)


def child_failed(task: Task, event: DepFailed, effects: list[Effect]) -> State:
    task.failure = event.failure
    return _held_in(task, S.JOINING) if event.failure.holds else S.FAILED


def staged_out(task: Task, event: StagedOut, effects: list[Effect]) -> State:
    return _done(task, effects)


def try_failed(task: Task, event: TryFailed, effects: list[Effect]) -> State:
    task.alone = task.alone or event.cause in DEATHS
    return _void(task) if task.awaiting else _try_again(task, event)


def _try_again(task: Task, event: TryFailed) -> State:
    """Return where a failed try leaves its task, as the retry policy decides."""
    if event.cause in DEATHS:
        task.losses += event.alone
    if event.lifetime is not None:
        task.cut = max(task.cut, event.seconds)
        if is_too_long(event.seconds, event.lifetime):
            task.failure = Failure(event.cause, outlived(task.id, event.seconds, event.lifetime), task.id)
            return S.FAILED
    choice = decide(
        task.options.retry or NO_RETRY,
        cause=event.cause,
        error=event.error,
        spent=task.spent,
        losses=task.losses,
        alone=event.alone,
        verdict=event.verdict,
    )
    if choice is None:
        task.failure = Failure(event.cause, event.error, task.id, holds=bool(task.options.holds))
        return S.FAILED
    cost, task.delay = choice
    task.spent += cost
    task.try_id = TryId(task.try_id + 1)
    if task.delay:
        return S.BACKOFF
    return S.STAGING_IN if task.options.stages_in else S.QUEUED


def retry_due(task: Task, event: RetryDue, effects: list[Effect]) -> State:
    return _ready(task, effects)


def cancelled(task: Task, event: CancelRequested, effects: list[Effect]) -> State:
    _stop(task, effects)
    task.failure = None
    return S.CANCELLED


def _stop(task: Task, effects: list[Effect]) -> None:
    """Ask to end what is under way."""
    held = task.held if task.state is S.PAUSED else task.state
    if held in (S.STAGING_IN, S.QUEUED, S.RUNNING, S.STAGING_OUT):
        effects.append(Drop(task, task.try_id))


def paused(task: Task, event: Paused, effects: list[Effect]) -> State:
    task.held = task.state
    task.is_due = task.state is S.QUEUED
    if task.is_due:
        effects.append(Drop(task, task.try_id))
    return S.PAUSED


def resumed(task: Task, event: Resumed, effects: list[Effect]) -> State:
    # What was under way all the time must not be asked for twice.
    if task.is_due and (enter := ON_ENTRY.get(task.held)):
        effects.append(enter(task))
    return task.held


def while_paused(task: Task, event: Event, effects: list[Effect]) -> State:
    """Let what was under way go on in the held state, but start nothing new."""
    rule = RULES[task.held].get(type(event))
    if rule is None:
        raise InvalidTransition(f"task {task.id} is PAUSED, held {task.held.name}, and got {event}")
    task.state = task.held
    try_id = task.try_id
    after = rule(task, event, effects)
    if after >= DONE:
        return after
    if after is not task.held or task.try_id != try_id:
        task.held = after
        task.is_due = True
    return S.PAUSED


def retry_requested(task: Task, event: RetryRequested, effects: list[Effect]) -> State:
    if task.state is not S.HELD:
        effects.append(Reopen(task))
    task.try_id = TryId(task.try_id + 1)
    task.failure = None
    task.spent = 0.0
    task.losses = 0
    task.cut = 0.0
    if event.substitute is not None:
        task.value = event.substitute.value
        return S.DONE
    if task.children:
        # Its own body is done; only children are missing.
        return S.JOINING if task.awaiting else _done(task, effects)
    task.value = None
    return S.WAITING if task.awaiting else _ready(task, effects)


def undone(task: Task, event: Undone, effects: list[Effect]) -> State:
    _stop(task, effects)
    if task.state.is_final:
        effects.append(Reopen(task))
    task.try_id = TryId(task.try_id + 1)
    task.failure = event.former.failure
    return event.former.state


def stay(task: Task, event: Event, effects: list[Effect]) -> State:
    """Return the state in which the task is: the event changes nothing."""
    return task.state


# The table


@final
@dataclass(frozen=True, slots=True)
class Row:
    """In any of `states`, `event` leads to one of `targets`, as `rule` decides."""

    states: tuple[State, ...]
    event: type[Any]
    rule: Rule
    targets: tuple[State, ...]


ACTIVE = tuple(state for state in S if S.NEW < state < DONE)
STARTS = (S.READY, S.STAGING_IN, S.QUEUED)
STARTED = (*STARTS, S.RUNNING, S.STAGING_OUT, S.BACKOFF)
AGAIN = (S.BACKOFF, S.STAGING_IN, S.QUEUED, S.FAILED)
FINISHED = tuple(sorted(FINAL))
CLOSED = tuple(sorted(REOPENABLE))
PAUSED_TOO = (MemoHit, MemoMissed, StagedIn, StagedOut, StagingFailed, Returned, Spawned, TryFailed, RetryDue)

TABLE: tuple[Row, ...] = (
    Row((S.NEW,), Submitted, submitted, (S.WAITING, *STARTS)),
    Row((S.WAITING,), DepDone, dep_done, (S.WAITING, *STARTS)),
    Row((S.WAITING,), DepFailed, dep_failed, (S.UPSTREAM_FAILED, S.HELD)),
    Row((S.READY,), MemoHit, memo_hit, (S.DONE,)),
    Row((S.READY,), MemoMissed, memo_missed, (S.STAGING_IN, S.QUEUED)),
    Row((S.STAGING_IN,), StagedIn, staged_in, (S.QUEUED,)),
    Row((S.STAGING_IN, S.STAGING_OUT), StagingFailed, staging_failed, AGAIN),
    # Out of WAITING when it is sent ahead, behind the parents that it waits for, in the same bundle.
    Row((S.WAITING, S.READY, S.QUEUED), Dispatched, dispatched, (S.RUNNING,)),
    Row((S.RUNNING,), DepDone, stay, (S.RUNNING,)),
    # Sent ahead of a parent that failed; or the result of a parent was taken back.
    Row(STARTED, DepFailed, parent_failed, (S.UPSTREAM_FAILED, S.HELD)),
    Row((S.RUNNING,), Returned, returned, (S.WAITING, S.STAGING_OUT, S.DONE)),
    Row((S.RUNNING,), Spawned, spawned, (S.JOINING, S.DONE)),
    Row((S.RUNNING,), TryFailed, try_failed, (S.WAITING, *AGAIN)),
    Row((S.STAGING_OUT,), StagedOut, staged_out, (S.DONE,)),
    Row((S.JOINING,), DepDone, child_done, (S.JOINING, S.DONE)),
    Row((S.JOINING,), DepFailed, child_failed, (S.FAILED, S.HELD)),
    Row((S.BACKOFF,), RetryDue, retry_due, STARTS),
    Row((S.HELD,), DepFailed, one_more_failed, (S.HELD, S.FAILED, S.UPSTREAM_FAILED)),
    Row((S.HELD,), Released, released, (S.FAILED, S.UPSTREAM_FAILED)),
    Row((*ACTIVE, S.HELD), CancelRequested, cancelled, (S.CANCELLED,)),
    Row(tuple(s for s in ACTIVE if s is not S.PAUSED), Paused, paused, (S.PAUSED,)),
    Row((S.PAUSED,), Resumed, resumed, tuple(s for s in ACTIVE if s is not S.PAUSED)),
    *(
        Row((S.PAUSED,), kind, while_paused, (S.PAUSED, *FINISHED[:3], S.HELD))
        for kind in (DepDone, DepFailed, *PAUSED_TOO)
    ),
    Row(CLOSED, RetryRequested, retry_requested, (S.WAITING, *STARTS, S.JOINING, S.DONE)),
    Row((*ACTIVE, *FINISHED, S.HELD), Undone, undone, CLOSED),
    # Asked too late or asked twice, the second of several causes, or a worker's word said again.
    *(Row(FINISHED, kind, stay, FINISHED) for kind in (CancelRequested, DepFailed)),
    *(Row((*FINISHED, S.HELD), kind, stay, (*FINISHED, S.HELD)) for kind in (Paused, Resumed, DepDone)),
    Row((*ACTIVE, *FINISHED), Released, stay, (*ACTIVE, *FINISHED)),
    *(
        Row((state,), kind, stay, (state,))
        for state in (S.STAGING_OUT, S.JOINING)
        for kind in (Returned, Spawned, TryFailed)
    ),
    Row((S.PAUSED,), Paused, stay, (S.PAUSED,)),
    Row(tuple(s for s in ACTIVE if s is not S.PAUSED), Resumed, stay, ACTIVE),
)

RULES: tuple[dict[type[Any], Rule], ...] = tuple(
    {row.event: row.rule for row in TABLE if state in row.states} for state in S
)

ON_ENTRY: dict[State, Callable[[Task], Effect]] = {
    S.READY: LookUp,
    S.STAGING_IN: StageIn,
    S.QUEUED: Enqueue,
    S.STAGING_OUT: StageOut,
    S.BACKOFF: lambda task: WakeLater(task, task.delay),
    S.DONE: Resolve,
    S.FAILED: Reject,
    S.UPSTREAM_FAILED: Reject,
    S.CANCELLED: Withdraw,
}


ENTRIES = tuple(ON_ENTRY.get(state) for state in S)
"""The same by number: `step` is the innermost function there is."""


def step(task: Task, event: Event, effects: list[Effect]) -> bool:
    """Apply `event` to `task`, append what must be done, and tell whether it is worth noting.

    That is every change of state, and what ends a step of a paused task. An event about another try than
    the current one, or about a final task's try, is dropped: networks repeat and reorder. Raises
    InvalidTransition for any other pair that the table lacks.
    """
    state = task.state
    kind = type(event)
    try_id = task.try_id
    if kind in TRY_EVENTS and (state >= DONE or event.try_id != try_id):  # type: ignore[union-attr]
        return False
    rule = RULES[state].get(kind)
    if rule is None:
        raise InvalidTransition(f"task {task.id} is {state.name} (try {task.try_id}) and got {event}")
    task.state = after = rule(task, event, effects)
    if after is state and task.try_id == try_id:
        return state is S.PAUSED and kind in TRY_EVENTS
    enter = ENTRIES[after]
    if enter is not None and kind is not Resumed:
        effects.append(enter(task))
    return True
