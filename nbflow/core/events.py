"""Own everything that can happen to a task. An event says what happened; the core says what follows.

Slotted but not frozen: three of them are made for every task, and freezing doubles the price of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final, get_args

from nbflow.core.former import Former
from nbflow.core.ids import AppId, SlotId, TaskId, TryId
from nbflow.core.retry import Verdict
from nbflow.core.states import Cause
from nbflow.core.task import Failure, Task

__all__ = [
    "TRY_EVENTS",
    "CancelRequested",
    "DepDone",
    "DepFailed",
    "Dispatched",
    "Event",
    "MemoHit",
    "MemoMissed",
    "Paused",
    "Released",
    "Resumed",
    "RetryDue",
    "RetryRequested",
    "Returned",
    "Spawned",
    "StagedIn",
    "StagedOut",
    "StagingFailed",
    "Submitted",
    "TryFailed",
    "Undone",
]


@final
@dataclass(slots=True)
class Submitted:
    """An app was called. `foreign` counts futures of others among its arguments that are not done.

    `spawner_try` is the try of the join task whose body called it.
    """

    task: TaskId
    node: Task
    foreign: int = 0
    spawner_try: TryId | None = None


@final
@dataclass(slots=True)
class DepDone:
    """One thing that the task waits for is there; a foreign one is a future of others."""

    task: TaskId
    is_foreign: bool = False


@final
@dataclass(slots=True)
class DepFailed:
    """One thing that the task waits for will not come, as things stand."""

    task: TaskId
    failure: Failure
    is_foreign: bool = False


@final
@dataclass(slots=True)
class MemoHit:
    """The result of an equal call is known."""

    task: TaskId
    try_id: TryId
    value: Any


@final
@dataclass(slots=True)
class MemoMissed:
    """No result of an equal call is known."""

    task: TaskId
    try_id: TryId


@final
@dataclass(slots=True)
class StagedIn:
    """All input files are where the try will run."""

    task: TaskId
    try_id: TryId


@final
@dataclass(slots=True)
class StagedOut:
    """All output files are where the user wants them."""

    task: TaskId
    try_id: TryId


@final
@dataclass(slots=True)
class StagingFailed:
    """A file could not be moved."""

    task: TaskId
    try_id: TryId
    error: BaseException


@final
@dataclass(slots=True)
class Dispatched:
    """The try left for a slot; `why` tells what there was to choose from, if there was a choice."""

    task: TaskId
    try_id: TryId
    slot: SlotId
    why: str | None = None


@final
@dataclass(slots=True)
class Returned:
    """The try returned `value`; the call took `seconds` on its worker."""

    task: TaskId
    try_id: TryId
    value: Any
    seconds: float = 0.0


@final
@dataclass(slots=True)
class Spawned:
    """A join app returned; `children` are the tasks that it waits for, `foreign` counts other futures."""

    task: TaskId
    try_id: TryId
    value: Any
    children: Sequence[Task]
    foreign: int = 0
    seconds: float = 0.0


@final
@dataclass(slots=True)
class TryFailed:
    """The try ended without a result.

    `alone` tells that no other call shared its bundle; `verdict` is the word of the user's retry handler;
    `traceback` is for people, where the error does not carry one as text. `lifetime` is given when the
    walltime of a block ended: how long (seconds) its node was there. `evidence` is what was taken down where
    it failed, on its way to the record of the failure.
    """

    task: TaskId
    try_id: TryId
    cause: Cause
    error: BaseException
    alone: bool = True
    seconds: float = 0.0
    verdict: Verdict | None = None
    traceback: str | None = None
    lifetime: float | None = None
    evidence: str | None = None


@final
@dataclass(slots=True)
class RetryDue:
    """The wait before the next try is over."""

    task: TaskId
    try_id: TryId


@final
@dataclass(slots=True)
class CancelRequested:
    """Somebody wants the task to end."""

    task: TaskId


@final
@dataclass(slots=True)
class Paused:
    """Nothing more shall be started for the task (its session expired, its user asked)."""

    task: TaskId


@final
@dataclass(slots=True)
class Resumed:
    """The task may go on."""

    task: TaskId


@final
@dataclass(slots=True)
class Released:
    """The task shall wait no longer for what holds it to be mended; `failure` is another cause, if any."""

    task: TaskId
    failure: Failure | None = None


@final
@dataclass(frozen=True, slots=True)
class Substitute:
    """Be the value that a task gets instead of being run."""

    value: Any


@final
@dataclass(slots=True)
class RetryRequested:
    """Somebody wants a task that failed, was cancelled or is held to run again.

    `parents` is given when its arguments changed; `foreign` then counts the futures of others among them that
    are not done. `is_anew` runs the body of a join app again even when only a child of it failed. A task that
    failed because of others is retried through them.

    `by` says who asked and `why` what for, `code` names the function that was given for this task alone, and
    `root` the task that was asked for, when this one only goes with it. With a `substitute` it is not run,
    but done with that value, whatever it waits for.
    """

    task: TaskId
    parents: Sequence[Task] | None = None
    is_anew: bool = False
    foreign: int = 0
    by: str | None = None
    why: str | None = None
    code: AppId | None = None
    root: TaskId | None = None
    substitute: Substitute | None = None


@final
@dataclass(slots=True)
class Undone:
    """Somebody takes back the retry of a task: it ends as it had ended before, whatever it does by now."""

    task: TaskId
    former: Former
    by: str | None = None


TryEvent = (
    MemoHit
    | MemoMissed
    | StagedIn
    | StagedOut
    | StagingFailed
    | Dispatched
    | Returned
    | Spawned
    | TryFailed
    | RetryDue
)
Event = (
    Submitted
    | DepDone
    | DepFailed
    | CancelRequested
    | Paused
    | Resumed
    | Released
    | RetryRequested
    | Undone
    | TryEvent
)

TRY_EVENTS = frozenset(get_args(TryEvent))
"""Events about one try: they are dropped when that try is no longer the current one."""
