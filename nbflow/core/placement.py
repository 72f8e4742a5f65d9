"""Own the choice of a slot for a task, and of the tasks that travel together.

Ready tasks stay here until a slot has room (late binding). They then leave in bundles of about
`BUNDLE_SECONDS` of work, by the measured run time of their app. A task travels alone, to an idle slot, when
its app is unmeasured or long, when it has a walltime or needs more than a core, and when it was lost before.

A task whose missing parents are all in a bundle may follow them in it, when each of them has no other
dependent: a chain, or a branch of a tree, costs one message instead of one for each link, and nothing that
could run beside it is held up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import final

from nbflow.core.ids import AppId, ExecutorId, SlotId, TaskId, TryId
from nbflow.core.states import State
from nbflow.core.task import ONE_CORE, Options, Resources, Task

__all__ = ["BUNDLE_SECONDS", "Assignment", "Capacity", "Placement"]

BUNDLE_SECONDS = 0.05
BUNDLE_LIMIT = 500
OVERHEAD_SECONDS = 2e-5
LEARNING_WEIGHT = 0.2
STALL_SECONDS = 0.5

NEVER = float("inf")


@final
@dataclass(frozen=True, slots=True)
class Capacity:
    """Say what an executor offers: its slots, and the resources that they share.

    `keeps_results` tells that a call can take the result of one before it in the same bundle.
    """

    slots: tuple[SlotId, ...]
    total: Resources
    keeps_results: bool = False


@final
@dataclass(frozen=True, slots=True)
class Assignment:
    """Send these tasks to this slot, in this order."""

    executor: ExecutorId
    slot: SlotId
    tasks: list[Task]


class _Slot:
    """Know what one slot has in hand, oldest first, with the seconds that each is expected to take."""

    __slots__ = ("hand", "id", "is_exclusive", "need", "pool", "seconds", "touched")

    def __init__(self, id: SlotId, pool: _Pool) -> None:
        self.id = id
        self.pool = pool
        self.hand: dict[tuple[TaskId, TryId], float] = {}
        self.seconds = 0.0
        self.is_exclusive = False
        self.need = ONE_CORE
        self.touched = 0.0


class _Pool:
    """Know one executor's slots (idle; busy with room for a bundle) and its free resources."""

    __slots__ = ("cores", "gpus", "id", "idle", "keeps_results", "memory", "roomy", "slots", "total")

    def __init__(self, id: ExecutorId, capacity: Capacity) -> None:
        self.id = id
        self.total = total = capacity.total
        self.keeps_results = capacity.keeps_results
        self.cores, self.memory, self.gpus = total.cores, total.memory, total.gpus
        self.slots: dict[SlotId, _Slot] = {}
        self.idle: dict[SlotId, _Slot] = {}
        self.roomy: dict[SlotId, _Slot] = {}

    def has_free(self, need: Resources) -> bool:
        return need.cores <= self.cores and need.memory <= self.memory and need.gpus <= self.gpus

    def fits_ever(self, need: Resources) -> bool:
        total = self.total
        return need.cores <= total.cores and need.memory <= total.memory and need.gpus <= total.gpus

    def charge(self, need: Resources, sign: int) -> None:
        self.cores -= sign * need.cores
        self.memory -= sign * need.memory
        self.gpus -= sign * need.gpus


class _Lane:
    """Be a first-in first-out queue of tasks that may go to the same pools, at one priority."""

    __slots__ = ("is_listed", "is_shared", "options", "pools", "tasks")

    def __init__(self, options: Options, pools: list[_Pool]) -> None:
        self.options = options
        self.pools = pools
        self.tasks: deque[Task] = deque()
        self.is_shared = options.resources == ONE_CORE
        self.is_listed = False

    def head(self) -> Task | None:
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


@final
class Placement:
    """Keep queued tasks and slots, and bring them together."""

    def __init__(self) -> None:
        self._pools: dict[ExecutorId, _Pool] = {}
        self._slots: dict[SlotId, _Slot] = {}
        self._lanes: dict[tuple[int, Resources, frozenset[ExecutorId]], _Lane] = {}
        self._recent: tuple[Options | None, _Lane | None] = None, None
        # The lanes that hold tasks, by priority, then by the age of their first task.
        self._order: list[tuple[int, TaskId, int, _Lane]] = []
        self._tie = count()
        self._held: dict[tuple[TaskId, TryId], _Slot] = {}
        self._seconds: dict[AppId, float] = {}
        self._defaults: list[ExecutorId] = []

    # What there is

    def open_pool(self, executor: ExecutorId, capacity: Capacity, *, is_default: bool = True) -> None:
        """Add an executor with its first slots.

        Tasks that name no executor go to the default ones, and prefer the one opened first.
        """
        self._pools[executor] = _Pool(executor, capacity)
        if is_default:
            self._defaults.append(executor)
        for slot in capacity.slots:
            self.open_slot(executor, slot)
        for lane in self._lanes.values():
            lane.pools = self._pools_for(lane.options)

    def open_slot(self, executor: ExecutorId, slot: SlotId) -> None:
        """Add a slot; one that is known already stays as it is."""
        if slot not in self._slots:
            pool = self._pools[executor]
            pool.slots[slot] = pool.idle[slot] = self._slots[slot] = _Slot(slot, pool)

    def close_slot(self, slot: SlotId) -> list[tuple[TaskId, TryId]]:
        """Forget a slot; return the tries that it had in hand."""
        gone = self._slots.pop(slot, None)
        if gone is None:
            return []
        pool = gone.pool
        for group in (pool.slots, pool.idle, pool.roomy):
            group.pop(slot, None)
        if gone.hand:
            pool.charge(gone.need, -1)
        for key in gone.hand:
            del self._held[key]
        return list(gone.hand)

    def can_ever_place(self, options: Options) -> bool:
        """Tell whether some executor that the options allow is large enough."""
        return bool(self._pools_for(options))

    def describe_largest(self) -> str:
        """Return what the largest default executor offers, for a message."""
        pools = (self._pools[name] for name in self._defaults)
        total = max(
            (pool.total for pool in pools), key=lambda one: (one.cores, one.memory), default=Resources(0)
        )
        return f"cores={total.cores}, memory={total.memory}, gpus={total.gpus}"

    def _pools_for(self, options: Options) -> list[_Pool]:
        names = options.executors or self._defaults
        pools = (self._pools[name] for name in self._pools if name in names)
        return [pool for pool in pools if pool.fits_ever(options.resources)]

    # What there is to do

    def enqueue(self, task: Task) -> None:
        """Take a queued task; it leaves the queue by `assign`, or by itself when its state changes.

        One that was paused or cancelled and comes back before that has kept its place.
        """
        options, lane = self._recent
        if lane is None or options is not task.options:
            lane = self._lane_for(task.options)
            self._recent = task.options, lane
        if task.lane is lane:
            return
        task.lane = lane
        lane.tasks.append(task)
        if not lane.is_listed:
            self._list(lane, task)

    def _lane_for(self, options: Options) -> _Lane:
        key = (options.priority, options.resources, options.executors)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(options, self._pools_for(options))
        return lane

    def _list(self, lane: _Lane, head: Task) -> None:
        lane.is_listed = True
        heappush(self._order, (-lane.options.priority, head.id, next(self._tie), lane))

    def learn(self, app: AppId, seconds: float) -> None:
        """Take the measured run time of one call (seconds) into the app's moving average."""
        known = self._seconds.get(app)
        if known is not None:
            seconds = known + LEARNING_WEIGHT * (seconds - known)
        self._seconds[app] = seconds

    def release(self, task: TaskId, try_id: TryId, now: float) -> None:
        """Note that a slot no longer has this try in hand; an unknown try is passed over."""
        key = (task, try_id)
        slot = self._held.pop(key, None)
        if slot is None:
            return
        pool = slot.pool
        slot.seconds -= slot.hand.pop(key)
        slot.touched = now
        if not slot.hand:
            slot.seconds = 0.0
            slot.is_exclusive = False
            pool.charge(slot.need, -1)
            pool.roomy.pop(slot.id, None)
            pool.idle[slot.id] = slot
        elif slot.seconds < BUNDLE_SECONDS and not slot.is_exclusive:
            pool.roomy[slot.id] = slot

    def executor_of(self, task: TaskId, try_id: TryId) -> ExecutorId | None:
        """Return the executor that has this try in hand, or None."""
        slot = self._held.get((task, try_id))
        return None if slot is None else slot.pool.id

    def is_busy(self) -> bool:
        """Tell whether any slot has a try in hand."""
        return bool(self._held)

    def assign(self, now: float) -> list[Assignment]:
        """Return what can leave now: highest priority first, then oldest first.

        When the first of a lane finds no room, no later task may take room in the pool that it waits for:
        large tasks are not starved by small ones.
        """
        out: list[Assignment] = []
        closed: set[ExecutorId] = set()
        waiting: list[tuple[_Lane, Task]] = []
        while self._order and self._has_room(closed):
            _, age, _, lane = heappop(self._order)
            task = lane.head()
            if task is None or task.id != age:
                self._relist(lane)
            elif (slot := self._find(lane, task, closed)) is None:
                closed.update(pool.id for pool in lane.pools[:1])
                waiting.append((lane, task))
            else:
                out.append(Assignment(slot.pool.id, slot.id, self._fill(slot, lane, now)))
                self._relist(lane)
        for lane, task in waiting:
            self._list(lane, task)
        return out

    def _relist(self, lane: _Lane) -> None:
        head = lane.head()
        if head is None:
            lane.is_listed = False
        else:
            self._list(lane, head)

    def _has_room(self, closed: set[ExecutorId]) -> bool:
        return any((pool.idle or pool.roomy) and pool.id not in closed for pool in self._pools.values())

    def _estimate(self, lane: _Lane, task: Task) -> float:
        """Return the seconds that a task is expected to take; NEVER when it has to travel alone."""
        if task.alone or not lane.is_shared or task.options.walltime is not None:
            return NEVER
        return self._seconds.get(task.app, NEVER) + OVERHEAD_SECONDS

    def _find(self, lane: _Lane, task: Task, closed: set[ExecutorId]) -> _Slot | None:
        need = lane.options.resources
        shares = self._estimate(lane, task) < BUNDLE_SECONDS
        for pool in lane.pools:
            if pool.id in closed:
                continue
            if pool.idle and pool.has_free(need):
                # The one freed last: its process is still awake, its memory still in the caches.
                return next(reversed(pool.idle.values()))
            if shares and pool.roomy:
                return next(iter(pool.roomy.values()))
        return None

    def _fill(self, slot: _Slot, lane: _Lane, now: float) -> list[Task]:
        pool = slot.pool
        if not slot.hand:
            del pool.idle[slot.id]
            slot.need = lane.options.resources
            pool.charge(slot.need, 1)
        share = min(BUNDLE_LIMIT, -(-len(lane.tasks) // (2 * len(pool.slots))))
        tasks: list[Task] = []
        while len(tasks) < share and (task := lane.head()) is not None:
            seconds = self._estimate(lane, task)
            if tasks and slot.seconds + seconds > BUNDLE_SECONDS:
                break
            lane.tasks.popleft()
            task.lane = None
            tasks.append(task)
            self._hand(slot, task, seconds)
            if slot.is_exclusive:
                break
        if pool.keeps_results and not slot.is_exclusive:
            self._follow(slot, lane, tasks)
        slot.touched = now
        if slot.is_exclusive or slot.seconds >= BUNDLE_SECONDS:
            pool.roomy.pop(slot.id, None)
        else:
            pool.roomy[slot.id] = slot
        return tasks

    def _hand(self, slot: _Slot, task: Task, seconds: float) -> None:
        if seconds > BUNDLE_SECONDS:
            slot.is_exclusive = True
            seconds = 0.0
        key = (task.id, task.try_id)
        slot.hand[key] = seconds
        slot.seconds += seconds
        self._held[key] = slot

    def _follow(self, slot: _Slot, lane: _Lane, tasks: list[Task]) -> None:
        """Append those that can follow `tasks`, and those that can follow these."""
        parents_here: dict[TaskId, int] = {}
        for task in tasks:  # it grows on the way
            dependents = task.dependents
            if dependents is None or len(dependents) != 1:
                continue
            follower = dependents[0]
            options = follower.options
            if not follower.can_follow or follower.state is not State.WAITING:
                continue
            if options.memoized or options.stages_in:
                continue  # it is looked up or staged first, with the results of its parents
            here = parents_here[follower.id] = parents_here.get(follower.id, 0) + 1
            if here == follower.awaiting and self._lane_for(options) is lane:
                seconds = self._estimate(lane, follower)
                if slot.seconds + seconds <= BUNDLE_SECONDS and len(tasks) < BUNDLE_LIMIT:
                    tasks.append(follower)
                    self._hand(slot, follower, seconds)

    # What goes wrong

    def stalled(self, now: float) -> Iterator[tuple[ExecutorId, list[tuple[TaskId, TryId]]]]:
        """Yield tries that wait behind one that takes longer than expected while other slots are idle."""
        for pool in self._pools.values():
            if not pool.idle:
                continue
            for slot in pool.slots.values():
                if len(slot.hand) > 1 and now - slot.touched > STALL_SECONDS:
                    slot.touched = now
                    yield pool.id, list(slot.hand)[1:]
