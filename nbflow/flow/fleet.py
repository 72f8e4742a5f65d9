"""Own the executors of a run as its loop sees them: what they are sent, and what elastic ones are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from nbflow.core.assignment import Assignment
from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId, TaskId, TryId
from nbflow.core.placement import Placement
from nbflow.executors.protocol import Elastic, Executor, NodeUp
from nbflow.wire.messages import Call

__all__ = ["LOOK_SECONDS", "Fleet"]

LOOK_SECONDS = 0.5
"""How often a busy loop looks for tasks that wait behind a slow one."""

DEMAND_SECONDS = 1.0
"""How often an elastic executor is told what is wanted, while something is."""


@final
class Fleet:
    """Carry out what the placement decides; everything happens in the loop's thread."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._executors: dict[ExecutorId, Executor] = {}
        # Who it is, whether anything was wanted of it when it was last told, and when it is told again.
        self._elastic: dict[ExecutorId, tuple[Elastic, bool, float]] = {}
        self._early: list[NodeUp] = []
        self._next_look = 0.0

    def open(self, executor: Executor, capacity: Capacity, now: float, *, is_default: bool) -> None:
        """Give tasks to an executor that has started."""
        self._executors[executor.label] = executor
        self._placement.open_pool(executor.label, capacity, is_default=is_default)
        if isinstance(executor, Elastic):
            self._elastic[executor.label] = executor, False, 0.0
        early, self._early = self._early, []
        for up in early:
            self.open_node(up, now)

    def open_node(self, up: NodeUp, now: float) -> None:
        """Give tasks to a node, once its executor has started."""
        if up.executor in self._executors:
            self._placement.open_node(
                up.executor, up.node, up.block, up.slots, up.total, now=now, until=up.until
            )
        else:
            self._early.append(up)

    def send(self, assignment: Assignment, calls: Sequence[Call]) -> None:
        """Send calls where they were assigned. Raises whatever the executor raises."""
        self._executors[assignment.executor].send(assignment.slot, calls)

    def drop(self, task: TaskId, try_id: TryId, now: float) -> None:
        """Stop a try, if anybody has it in hand."""
        executor = self._placement.executor_of(task, try_id)
        if executor is not None:
            self._executors[executor].drop([(task, try_id)])
            self._placement.release(task, try_id, now)

    def recall(self, executor: ExecutorId, tries: Sequence[tuple[TaskId, TryId]]) -> None:
        """Ask for what has not started."""
        self._executors[executor].recall(tries)

    def look_after(self, now: float) -> None:
        """Recall what waits behind a slow call, and tell elastic executors what is wanted."""
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            for stalled, tries in self._placement.stalled(now):
                self.recall(stalled, tries)
        for label, (executor, was_wanted, due) in self._elastic.items():
            is_wanted = self._placement.is_wanted(label)
            if is_wanted is not was_wanted or (is_wanted and now >= due):
                self._elastic[label] = executor, is_wanted, now + DEMAND_SECONDS
                self._placement.expect(label, executor.wait_seconds)
                executor.demand(self._placement.outlook(label, now))

    @property
    def is_busy(self) -> bool:
        """Tell whether it has to be looked after even when nothing happens."""
        return self._placement.is_busy() or any(is_wanted for _, is_wanted, _ in self._elastic.values())
