"""Own the executors of a run as its loop sees them: what they are sent, and what elastic ones are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from nbflow.core.assignment import Assignment
from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId, SlotId, TaskId, TryId
from nbflow.core.placement import Placement
from nbflow.executors.protocol import (
    Durable,
    Elastic,
    Executor,
    Held,
    NodeDown,
    NodeDraining,
    NodeUp,
    SlotDown,
    SlotUp,
)
from nbflow.flow.former.past import Sent
from nbflow.wire.messages import Call

__all__ = ["LOOK_SECONDS", "Fleet"]

LOOK_SECONDS = 0.5
"""How often a busy loop looks for tasks that wait behind a slow one."""

DEMAND_SECONDS = 1.0
"""How often an elastic executor is told what is wanted, while something is."""


Change = NodeUp | NodeDraining | NodeDown | SlotUp | SlotDown


@final
class Fleet:
    """Carry out what the placement decides; everything happens in the loop's thread."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._executors: dict[ExecutorId, Executor] = {}
        # Who it is, whether anything was wanted of it when it was last told, and when it is told again.
        self._elastic: dict[ExecutorId, tuple[Elastic, bool, float]] = {}
        self._durable: dict[ExecutorId, Durable] = {}
        self._adopted: dict[tuple[TaskId, TryId], ExecutorId] = {}
        self._early: list[Change] = []
        self._next_look = 0.0

    def open(self, executor: Executor, capacity: Capacity, now: float, *, is_default: bool) -> None:
        """Give tasks to an executor that has started."""
        self._executors[executor.label] = executor
        self._placement.open_pool(executor.label, capacity, is_default=is_default)
        if isinstance(executor, Elastic):
            self._elastic[executor.label] = executor, False, 0.0
        if isinstance(executor, Durable):
            self._durable[executor.label] = executor
        early, self._early = self._early, []
        for change in early:
            self.take_in(change, now)

    def take_in(self, change: Change, now: float) -> None:
        """Follow what becomes of nodes and slots, once their executor has started.

        Pilots that a former kernel left may be there before.
        """
        placement = self._placement
        match change:
            case SlotDown() if not self._early:
                placement.close_slot(change.slot)
            case SlotDown():  # the slot may be among those that wait
                self._early.append(change)
            case _ if change.executor not in self._executors:
                self._early.append(change)
            case NodeUp():
                placement.open_node(
                    change.executor,
                    change.node,
                    change.block,
                    change.slots,
                    change.total,
                    now=now,
                    until=change.until,
                )
            case SlotUp():
                placement.open_slot(change.executor, change.slot, change.node)
            case NodeDraining():
                placement.drain_node(change.executor, change.node)
            case NodeDown():
                placement.close_node(change.executor, change.node)

    def send(self, assignment: Assignment, calls: Sequence[Call]) -> None:
        """Send calls where they were assigned. Raises whatever the executor raises."""
        self._executors[assignment.executor].send(assignment.slot, calls)

    def drop(self, task: TaskId, try_id: TryId, now: float) -> None:
        """Stop a try, if anybody has it in hand."""
        executor = self._placement.executor_of(task, try_id) or self._adopted.pop((task, try_id), None)
        if executor is not None:
            self._executors[executor].drop([(task, try_id)])
            self._placement.release(task, try_id, now)

    # What a former kernel sent away

    def is_durable(self, executor: ExecutorId) -> bool:
        """Tell whether what an executor is sent may be had back by the next kernel."""
        return executor in self._durable

    def is_held(self, sent: Sent) -> bool:
        """Tell, from any thread, whether what was sent away can still be had."""
        return self._holder(sent) is not None

    def adopt(self, sent: Sent, call: Call) -> bool:
        """Have the end of what was sent away reported as that of `call`; return whether it can be had."""
        label = self._holder(sent)
        if label is None:
            return False
        self._adopted[call.task, call.try_id] = label
        former = TaskId(sent.task), TryId(sent.try_id)
        self._durable[label].adopt(Held(sent.run, SlotId(sent.slot)), former, call)
        return True

    def disown(self) -> None:
        """Have nothing more of what former kernels sent away."""
        for executor in self._durable.values():
            for run in {held.run for held in executor.held()}:
                executor.disown(run)

    def _holder(self, sent: Sent) -> ExecutorId | None:
        held = Held(sent.run, SlotId(sent.slot))
        return next((label for label, one in list(self._durable.items()) if held in one.held()), None)

    # What is in hand

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
