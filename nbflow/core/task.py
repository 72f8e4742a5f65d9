"""Own what the core knows of one task: where it stands, what it waits for, what it may use.

What the task computes (`call`), what it computed (`value`) and the promise to its user (`future`) pass
through the core unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from nbflow.core.ids import AppId, ExecutorId, NodeId, TaskId, TryId
from nbflow.core.retry import RetryPolicy
from nbflow.core.states import Cause, State

__all__ = ["ONE_CORE", "Failure", "Grant", "Options", "Resources", "Task"]


@final
@dataclass(frozen=True, slots=True)
class Resources:
    """Say what one call occupies while it runs: cores, memory (bytes), GPUs, of one node.

    With more than one of `nodes` it has that many whole nodes of one block, and starts `ranks_per_node`
    processes on each.
    """

    cores: int = 1
    memory: int = 0
    gpus: int = 0
    nodes: int = 1
    ranks_per_node: int = 1


ONE_CORE = Resources()


@final
@dataclass(frozen=True, slots=True)
class Grant:
    """Name what a call may use, where a number does not tell; it has a worker process for itself.

    `is_alone` tells that this is all: it was lost with others, and is tried by itself. `nodes` are those of a
    call on several, the one that it is sent to first. `gpus` and `cores` count from 0 on its node: the third
    core is the third of those that the node's pool may use, whatever the system calls it. `memory` (bytes) is
    all that it may hold. `launch` are the words that start a command as so many processes on so many nodes:
    the executor adds them.
    """

    nodes: tuple[NodeId, ...] = ()
    gpus: tuple[int, ...] = ()
    cores: tuple[int, ...] = ()
    memory: int = 0
    ranks_per_node: int = 1
    is_alone: bool = False
    launch: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Say how tasks of an app are run; one object is shared by all calls that use the same options.

    `walltime` is in seconds, of the call itself. `executors` names the only executors that may run it
    (empty: any). A higher `priority` is placed first. Where `memoized` is None the
    dataflow kernel's default holds. Without `retry` the dataflow kernel's default holds. `holds` tells that
    what waits for a task of the app is held when it fails, and does not fail with it; None as above.
    """

    resources: Resources = ONE_CORE
    priority: int = 0
    walltime: float | None = None
    retry: RetryPolicy | None = None
    executors: frozenset[ExecutorId] = frozenset()
    memoized: bool | None = None
    holds: bool | None = None
    stages_in: bool = False
    stages_out: bool = False


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """Say why a task failed. `root` is the task whose failure started it (the task's own id if it did).

    `error` is None when that task was cancelled. `holds` tells that what waits for it is held.
    """

    cause: Cause | None
    error: BaseException | None
    root: TaskId
    holds: bool = False


class Task:
    """Be one node of the graph.

    `awaiting` counts what the task waits for that is not there yet: parents, or once it joins children, and
    futures of others (counted again in `foreign`). `blocked` counts those that failed; a retry goes on from
    both. `held` is the state in which a paused task goes on; `is_due` tells that the effect of that state has
    still to be asked for. `lane` is the queue of `Placement` that the task stands in. One that `can_follow`
    may be sent ahead of its turn, behind its parents in their bundle. `cut` is how long (seconds) it ran, at
    the most, when a block ended under it: it takes longer than that. One with a `bond` is looked up before it
    is run: the work of an earlier equal call may stand for it.

    A plain slotted class that is changed in place: there is one for each call and each of its events
    touches it (a frozen dataclass replaced on every event costs 1.9 us an event, this 0.1 us).
    """

    __slots__ = (
        "__weakref__",
        "alone",
        "app",
        "awaiting",
        "blocked",
        "bond",
        "call",
        "can_follow",
        "children",
        "cut",
        "delay",
        "dependents",
        "failure",
        "foreign",
        "future",
        "held",
        "id",
        "is_due",
        "lane",
        "losses",
        "options",
        "parents",
        "spawner",
        "spent",
        "state",
        "try_id",
        "value",
    )

    def __init__(
        self,
        id: TaskId,
        app: AppId,
        options: Options,
        *,
        parents: Sequence[Task] = (),
        call: Any = None,
        future: Any = None,
        spawner: TaskId | None = None,
    ) -> None:
        self.id = id
        self.app = app
        self.options = options
        self.parents = parents
        self.call = call
        self.future = future
        self.spawner = spawner
        self.bond: Any = None
        self.can_follow = False
        self.state = State.NEW
        self.try_id = TryId(1)
        self.awaiting = 0
        self.blocked = 0
        self.foreign = 0
        self.dependents: list[Task] | None = None
        self.children: Sequence[Task] = ()
        self.failure: Failure | None = None
        self.value: Any = None
        self.spent = 0.0
        self.losses = 0
        self.cut = 0.0
        self.alone = False
        self.delay = 0.0
        self.held = State.NEW
        self.is_due = False
        self.lane: Any = None

    def __repr__(self) -> str:
        return f"<Task {self.id} {self.state.name} try {self.try_id}>"
