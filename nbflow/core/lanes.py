"""Own the queues in which ready tasks stand, and what is expected of them: how many, how long."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import final

from nbflow.core.nodes import Node, Pool
from nbflow.core.scaling import Queued
from nbflow.core.states import State
from nbflow.core.task import ONE_CORE, Options, Task

__all__ = ["Lane", "count_like", "expected_seconds", "rivals_of", "sum_up"]

SAMPLE = 100
"""How many tasks of a lane are looked at to tell of all."""


@final
class Lane:
    """Be a first-in first-out queue of tasks that may go to the same pools, at one priority.

    `reserved` are the nodes that take nothing else until its first task has found room.
    """

    __slots__ = ("is_listed", "is_shared", "need", "options", "pools", "reserved", "tasks")

    def __init__(self, options: Options, pools: list[Pool]) -> None:
        self.options = options
        self.is_shared = options.resources == ONE_CORE
        self.need = ONE_CORE if self.is_shared else options.resources
        self.pools = pools
        self.tasks: deque[Task] = deque()
        self.is_listed = False
        self.reserved: list[Node] = []

    def head(self) -> Task | None:
        """Return the first task, None when there is none."""
        tasks = self.tasks
        while tasks:
            # A task that was cancelled, paused or changed lanes is not searched for: it is passed over here.
            task = tasks[0]
            if task.lane is self:
                if task.state is State.QUEUED:
                    return task
                task.lane = None
            tasks.popleft()
        return None

    def reserve(self, task: Task, pools: Collection[Pool], now: float) -> list[Node]:
        """Return the nodes that are kept for the first task: the same ones until it leaves.

        They only ever get emptier, so that it does leave.
        """
        seconds = {pool.id: expected_seconds(task, pool, pools) for pool in self.pools}
        if not all(
            node.pool.nodes.get(node.id) is node and node.can_host(self.need, seconds[node.pool.id], now)
            for node in self.reserved
        ):
            self.reserved = []
        if not self._is_to_be_had(self.reserved):
            found = (pool.emptiest(self.need, seconds[pool.id], now) for pool in self.pools)
            self.reserved = next(filter(self._is_to_be_had, found), [])
        return self.reserved

    def _is_to_be_had(self, nodes: list[Node]) -> bool:
        # What has room already the task could have at once: it waits for something better.
        return bool(nodes) and not all(node.has_room(self.need) for node in nodes)

    def sample(self) -> tuple[list[Task], float]:
        """Return some tasks, and how many of all each of them stands for."""
        first = list(islice(self.tasks, SAMPLE))
        alive = [task for task in first if task.lane is self and task.state is State.QUEUED]
        return alive, len(self.tasks) / len(first) if first else 0.0


def expected_seconds(task: Task, pool: Pool, pools: Iterable[Pool]) -> float | None:
    """Return how long a task takes in `pool`: measured there, else elsewhere, else its walltime, or None.

    One that was cut off by the end of a block takes longer than it had there.
    """
    seconds = pool.seconds.get(task.app)
    if seconds is None:
        known = [seconds for other in pools if (seconds := other.seconds.get(task.app)) is not None]
        seconds = sum(known) / len(known) if known else task.options.walltime
    return max(task.cut, seconds or 0.0) if task.cut else seconds


def count_like(task: Task, pool: Pool, lanes: Iterable[Lane]) -> float:
    """Return how many tasks such as `task` would be as much work in `pool` as all that the lanes hold."""
    unit = expected_seconds(task, pool, ()) or 0.0
    count = 0.0
    for lane in lanes:
        sample, weight = lane.sample()
        for other in sample:
            seconds = expected_seconds(other, pool, ()) if unit else None
            # What nobody has measured counts as one.
            count += weight * (1.0 if seconds is None else seconds / unit)
    return max(1.0, count)


def rivals_of(lane: Lane, lanes: Iterable[Lane]) -> Iterator[Lane]:
    """Yield the lanes whose tasks leave before those of this one, or between them; itself among them."""
    for other in lanes:
        if (
            other.is_listed
            and other.options.priority >= lane.options.priority
            and any(pool in lane.pools for pool in other.pools)
        ):
            yield other


def sum_up(pool: Pool, lanes: Iterable[Lane], pools: Collection[Pool]) -> tuple[Queued, ...]:
    """Return what is queued that may run in `pool`, by need."""
    found: dict[object, Queued] = {}
    for lane in lanes:
        if pool not in lane.pools or lane.head() is None:
            continue
        sample, weight = lane.sample()
        times = [expected_seconds(task, pool, pools) for task in sample]
        known = [seconds for seconds in times if seconds is not None]
        before = found.get(lane.need, Queued(lane.need, 0))
        found[lane.need] = Queued(
            need=lane.need,
            tasks=before.tasks + round(weight * len(sample)),
            seconds=before.seconds + weight * sum(known),
            longest=max((before.longest, *known)),
            unknown=before.unknown + round(weight * (len(times) - len(known))),
        )
    return tuple(found.values())
