"""Own the choice of a slot for a task, and of the tasks that travel together.

Ready tasks stay here until a slot has room (late binding). They then leave in bundles of about
`BUNDLE_SECONDS` of work, by the measured run time of their app. A task travels alone, to an idle slot, when
its app is unmeasured or long, when it has a walltime or needs more than a core, and when it was lost before.

A task whose missing parents are all in a bundle may follow them in it, when each of them has no other
dependent: a chain, or a branch of a tree, costs one message instead of one for each link, and nothing that
could run beside it is held up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from typing import final

from nbflow.core.assignment import Assignment
from nbflow.core.capacity import Capacity
from nbflow.core.choice import Offer, describe, faster_than, is_worth, prefer
from nbflow.core.following import followers
from nbflow.core.ids import AppId, ExecutorId, NodeId, SlotId, TaskId, TryId
from nbflow.core.lanes import Lane, count_like, expected_seconds, rivals_of, sum_up
from nbflow.core.nodes import NEVER, Node, Pool, Slot
from nbflow.core.scaling import Outlook
from nbflow.core.task import Grant, Options, Resources, Task

__all__ = ["BUNDLE_SECONDS", "Placement"]

BUNDLE_SECONDS = 0.05
BUNDLE_LIMIT = 500
OVERHEAD_SECONDS = 2e-5
LEARNING_WEIGHT = 0.2
STALL_SECONDS = 0.5


@final
class Placement:
    """Keep queued tasks and slots, and bring them together."""

    def __init__(self) -> None:
        self._pools: dict[ExecutorId, Pool] = {}
        self._slots: dict[SlotId, Slot] = {}
        self._lanes: dict[tuple[int, Resources, frozenset[ExecutorId]], Lane] = {}
        self._recent: tuple[Options | None, Lane | None] = None, None
        # The lanes that hold tasks, by priority, then by the age of their first task.
        self._order: list[tuple[int, TaskId, int, Lane]] = []
        self._tie = count()
        self._held: dict[tuple[TaskId, TryId], Slot] = {}
        self._defaults: list[ExecutorId] = []

    # What there is

    def open_pool(self, executor: ExecutorId, capacity: Capacity, *, is_default: bool = True) -> None:
        """Add an executor with its first slots.

        Tasks that name no executor go to the default ones, and prefer the one opened first.
        """
        self._pools[executor] = Pool(executor, capacity)
        if is_default:
            self._defaults.append(executor)
        for slot in capacity.slots:
            self.open_slot(executor, slot)
        for lane in self._lanes.values():
            lane.pools = self._pools_for(lane.options)

    def open_node(
        self,
        executor: ExecutorId,
        id: NodeId,
        block: str,
        slots: Iterable[SlotId],
        total: Resources,
        *,
        now: float = 0.0,
        until: float | None = None,
    ) -> None:
        """Add a node with its slots; `until` is when its time ends (None: never)."""
        pool = self._pools[executor]
        if id not in pool.nodes:
            node = pool.open_node(id, block, total)
            if until is not None:
                node.until = until
                node.lifetime = until - now
        for slot in slots:
            self.open_slot(executor, slot, id)

    def drain_node(self, executor: ExecutorId, id: NodeId) -> None:
        """Give nothing more to a node; an unknown one is passed over."""
        node = self._pools[executor].nodes.get(id)
        if node is not None:
            self._pools[executor].drain(node)

    def close_node(self, executor: ExecutorId, id: NodeId) -> None:
        """Forget a node and its slots; an unknown one is passed over."""
        pool = self._pools[executor]
        node = pool.nodes.get(id)
        if node is not None:
            for slot in list(node.slots):
                self.close_slot(slot)
            pool.close_node(node)

    def open_slot(self, executor: ExecutorId, id: SlotId, node: NodeId | None = None) -> None:
        """Add a slot; one that is known already stays as it is, one of an unknown node is passed over."""
        if id not in self._slots:
            slot = self._pools[executor].open_slot(id, node)
            if slot is not None:
                self._slots[id] = slot

    def close_slot(self, id: SlotId) -> list[tuple[TaskId, TryId]]:
        """Forget a slot; return the tries that it had in hand."""
        gone = self._slots.pop(id, None)
        if gone is None:
            return []
        gone.node.pool.close_slot(gone)
        for key in gone.hand:
            del self._held[key]
        return list(gone.hand)

    @property
    def executors(self) -> list[ExecutorId]:
        """Return the executors, in the order in which they were added."""
        return list(self._pools)

    def can_ever_place(self, options: Options) -> bool:
        """Tell whether some executor that the options allow is large enough."""
        return bool(self._pools_for(options))

    def describe_largest(self) -> str:
        """Return what the largest default executor offers, for a message."""
        offered = (self._pools[name].largest for name in self._defaults)
        most = max(offered, key=lambda one: (one.total.cores, one.total.memory), default=None)
        return "nothing" if most is None else most.describe()

    def _pools_for(self, options: Options) -> list[Pool]:
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

    def _lane_for(self, options: Options) -> Lane:
        key = (options.priority, options.resources, options.executors)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(options, self._pools_for(options))
        return lane

    def _list(self, lane: Lane, head: Task) -> None:
        lane.is_listed = True
        heappush(self._order, (-lane.options.priority, head.id, next(self._tie), lane))

    def learn(self, app: AppId, seconds: float, executor: ExecutorId) -> None:
        """Take the measured run time of one call (seconds) into the app's moving average there."""
        measured = self._pools[executor].seconds
        known = measured.get(app)
        if known is not None:
            seconds = known + LEARNING_WEIGHT * (seconds - known)
        measured[app] = seconds

    def release(self, task: TaskId, try_id: TryId, now: float) -> ExecutorId | None:
        """Note that a slot no longer has this try in hand; return its executor, None for an unknown try."""
        key = (task, try_id)
        slot = self._held.pop(key, None)
        if slot is None:
            return None
        node = slot.node
        slot.seconds -= slot.hand.pop(key)
        slot.touched = now
        if not slot.hand:
            node.pool.give_back(slot)
        elif slot.seconds < BUNDLE_SECONDS and not slot.is_exclusive and not node.is_draining:
            node.pool.roomy[slot.id] = slot
        return node.pool.id

    def executor_of(self, task: TaskId, try_id: TryId) -> ExecutorId | None:
        """Return the executor that has this try in hand, or None."""
        slot = self._held.get((task, try_id))
        return None if slot is None else slot.node.pool.id

    def time_had(self, task: TaskId, try_id: TryId, now: float) -> tuple[float, float] | None:
        """Return how long a try had, and its node in all, if that ends now by its walltime."""
        slot = self._held.get((task, try_id))
        return None if slot is None else slot.time_had(now)

    def is_busy(self) -> bool:
        """Tell whether any slot has a try in hand."""
        return bool(self._held)

    def assign(self, now: float) -> list[Assignment]:
        """Return what can leave now: highest priority first, then oldest first.

        When the first of a lane finds no room, the nodes that will have it soonest are kept for it, so that
        large tasks are not starved by small ones.
        """
        out: list[Assignment] = []
        kept: set[Node] = set()
        waiting: list[tuple[Lane, Task]] = []
        while self._order and self._has_room(kept):
            _, age, _, lane = heappop(self._order)
            task = lane.head()
            if task is None or task.id != age:
                self._relist(lane)
                continue
            found, why = self._find(lane, task, kept, now)
            if found is None:
                kept.update(lane.reserve(task, self._pools.values(), now))
                waiting.append((lane, task))
            else:
                lane.reserved = []
                slot, taken = found
                tasks = self._fill(slot, taken, lane, now)
                grant = replace(slot.grant or Grant(), is_alone=True) if task.alone else slot.grant
                out.append(Assignment(slot.node.pool.id, slot.id, tasks, grant, why))
                self._relist(lane)
        for lane, task in waiting:
            self._list(lane, task)
        return out

    def _relist(self, lane: Lane) -> None:
        head = lane.head()
        if head is None:
            lane.is_listed = False
            lane.reserved = []
        else:
            self._list(lane, head)

    def _has_room(self, kept: set[Node]) -> bool:
        for pool in self._pools.values():
            if any(node not in kept for node in pool.open.values()):
                return True
            if any(slot.node not in kept for slot in pool.roomy.values()):
                return True
        return False

    def _estimate(self, lane: Lane, task: Task, pool: Pool) -> float:
        """Return the seconds that a task is expected to take; NEVER when it has to travel alone."""
        if task.alone or not lane.is_shared or task.options.walltime is not None:
            return NEVER
        return pool.seconds.get(task.app, NEVER) + OVERHEAD_SECONDS

    # Where it goes

    def _find(self, lane: Lane, task: Task, kept: set[Node], now: float) -> tuple[_Place | None, str | None]:
        """Return a place for the first task of a lane, and why there if there was a choice."""
        pools = lane.pools
        if len(pools) == 1:
            return self._find_in(pools[0], lane, task, kept, now), None
        places = {pool.id: self._find_in(pool, lane, task, kept, now) for pool in pools}
        free = {name: place for name, place in places.items() if place is not None}
        if not free:
            return None, None
        offers = [self._offer(pool, lane, task, now, is_free=pool.id in free) for pool in pools]
        best = prefer([offer for offer in offers if offer.is_free])
        faster = faster_than(best, (offer for offer in offers if not offer.is_free))
        if faster:
            rivals = count_like(task, self._pools[faster[0].executor], rivals_of(lane, self._lanes.values()))
            if not is_worth(best, faster, rivals):
                return None, None
        self._pools[best.executor].tried.add(task.app)
        return free[best.executor], describe(offers, best, len(lane.tasks))

    def _find_in(self, pool: Pool, lane: Lane, task: Task, kept: set[Node], now: float) -> _Place | None:
        need = lane.need
        seconds = expected_seconds(task, pool, self._pools.values())
        if need.nodes > 1:
            taken = pool.find_whole(need, seconds, now, kept)
            return (next(reversed(taken[0].idle.values())), taken) if taken else None
        shares = self._estimate(lane, task, pool) < BUNDLE_SECONDS
        slot = pool.find(need, seconds, now, kept, shares=shares)
        return None if slot is None else (slot, [])

    def _offer(self, pool: Pool, lane: Lane, task: Task, now: float, *, is_free: bool) -> Offer:
        seconds = expected_seconds(task, pool, self._pools.values())
        slots = pool.size or pool.largest.total.cores
        if is_free:
            is_trial = seconds is not None and task.app not in pool.seconds and task.app not in pool.tried
            return Offer(pool.id, seconds, slots, is_trial=is_trial)
        first, mean = pool.free_in(lane.need, now)
        return Offer(pool.id, seconds, slots, max(first, OVERHEAD_SECONDS), mean)

    # What travels together

    def _fill(self, slot: Slot, taken: list[Node], lane: Lane, now: float) -> list[Task]:
        pool = slot.node.pool
        if not slot.hand:
            pool.occupy(slot, lane.need, taken)
        share = min(BUNDLE_LIMIT, -(-len(lane.tasks) // (2 * pool.size)))
        tasks: list[Task] = []
        while len(tasks) < share and (task := lane.head()) is not None:
            seconds = self._estimate(lane, task, pool)
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

    def _hand(self, slot: Slot, task: Task, seconds: float) -> None:
        if seconds > BUNDLE_SECONDS:
            slot.is_exclusive = True
            seconds = slot.node.pool.seconds.get(task.app, 0.0)
        key = (task.id, task.try_id)
        slot.hand[key] = seconds
        slot.seconds += seconds
        self._held[key] = slot

    def _follow(self, slot: Slot, lane: Lane, tasks: list[Task]) -> None:
        """Append those that can follow `tasks`, and those that can follow these."""
        pool = slot.node.pool
        for follower in followers(tasks):
            if len(tasks) < BUNDLE_LIMIT and self._lane_for(follower.options) is lane:
                seconds = self._estimate(lane, follower, pool)
                if slot.seconds + seconds <= BUNDLE_SECONDS:
                    tasks.append(follower)
                    self._hand(slot, follower, seconds)

    # What is told of it

    def stalled(self, now: float) -> Iterator[tuple[ExecutorId, list[tuple[TaskId, TryId]]]]:
        """Yield the tries of slots where one takes longer than expected while others are idle.

        The one that has started stays; its slot is given no more until it has ended.
        """
        for pool in self._pools.values():
            if not pool.open:
                continue
            for slot in pool.busy.values():
                if len(slot.hand) > 1 and now - slot.touched > STALL_SECONDS:
                    slot.touched = now
                    slot.is_exclusive = True
                    pool.roomy.pop(slot.id, None)
                    yield pool.id, list(slot.hand)

    def explain(self, task: Task) -> str:
        """Return what a queued task is waiting for, for people."""
        lane = self._lane_for(task.options)
        ahead = f"{len(lane.tasks)} like it are queued"
        return "; ".join((ahead, *(pool.describe(lane.need) for pool in lane.pools)))

    def places(self, task: Task) -> list[ExecutorId]:
        """Return the executors that a task may go to."""
        return [pool.id for pool in self._lane_for(task.options).pools]

    def expect(self, executor: ExecutorId, seconds: float | None) -> None:
        """Take how long a new block of this executor would wait for its start, None when nobody knows."""
        self._pools[executor].wait = NEVER if seconds is None else seconds

    def is_wanted(self, executor: ExecutorId) -> bool:
        """Tell whether anything is in this executor's hands, or queued and may run there."""
        pool = self._pools[executor]
        return bool(pool.busy) or any(
            lane.is_listed and pool in lane.pools and lane.head() is not None for lane in self._lanes.values()
        )

    def outlook(self, executor: ExecutorId, now: float) -> Outlook:
        """Return what this executor could have to do."""
        pool = self._pools[executor]
        listed = (lane for lane in self._lanes.values() if lane.is_listed)
        queued = sum_up(pool, listed, self._pools.values())
        if queued or pool.busy:
            pool.quiet_since = None
        elif pool.quiet_since is None:
            pool.quiet_since = now
        return Outlook(queued, len(pool.busy), pool.quiet_since)


_Place = tuple[Slot, list[Node]]
"""A slot, and the whole nodes that a call on several takes with it."""
