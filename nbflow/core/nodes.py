"""Own what executors have: slots on nodes, what each node has free, and which of it a call is given.

An executor on one computer has one node without a name. Nothing here knows a queue.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import islice
from typing import final

from nbflow.core.capacity import Capacity
from nbflow.core.ids import AppId, ExecutorId, NodeId, SlotId, TaskId, TryId
from nbflow.core.task import ONE_CORE, Grant, Resources

__all__ = ["NEVER", "Node", "Pool", "Slot", "time_needed"]

NEVER = float("inf")

PLENTY_SECONDS = 300.0
"""What a node must have left for a task of unknown length, or half of all it had."""
MARGIN = 1.2
"""A task may take this much longer than expected."""
FRESH = 0.9
"""A node with this share of its time left takes any task: another would not have more."""

EARLY_SECONDS = 1.0
"""How long before the end of a node's time it may be ended for that."""

INDEX_LIMIT = 16
SAMPLE = 100

HERE = NodeId("")


def time_needed(seconds: float | None, lifetime: float) -> float:
    """Return the time that a node must have left to be given a task.

    `seconds` is what the task is expected to take, None when nobody knows; `lifetime` what a node has when it
    is new. What would not fit into that either is tried on a node that is nearly new.
    """
    if seconds is None:
        return min(PLENTY_SECONDS, lifetime / 2)
    return min(seconds * MARGIN, lifetime * FRESH)


@final
class Slot:
    """Know what one slot has in hand, oldest first, with the seconds that each is expected to take.

    `taken` are the whole nodes of a call on several.
    """

    __slots__ = ("grant", "hand", "id", "is_exclusive", "need", "node", "seconds", "taken", "touched")

    def __init__(self, id: SlotId, node: Node) -> None:
        self.id = id
        self.node = node
        self.hand: dict[tuple[TaskId, TryId], float] = {}
        self.seconds = 0.0
        self.is_exclusive = False
        self.need = ONE_CORE
        self.grant: Grant | None = None
        self.taken: list[Node] = []
        self.touched = 0.0

    def seconds_left(self, now: float) -> float:
        """Return when the slot is expected to be idle; what is overdue, or unknown, takes as long again."""
        return abs(self.seconds - (now - self.touched))

    def time_had(self, now: float) -> tuple[float, float] | None:
        """Return how long the call in hand had, and the node in all, if its time ends now."""
        node = self.node
        return None if now < node.until - EARLY_SECONDS else (now - self.touched, node.lifetime)


@final
class Node:
    """Know one node's slots, and what is free of the resources that they share.

    `until` is when its time ends, `lifetime` how much it had when it came. `spare_cores` and `spare_gpus`
    are the numbers of those that nobody was promised.
    """

    __slots__ = (
        "block",
        "cores",
        "gpus",
        "id",
        "idle",
        "is_draining",
        "lifetime",
        "memory",
        "pool",
        "slots",
        "spare_cores",
        "spare_gpus",
        "total",
        "until",
    )

    def __init__(self, id: NodeId, pool: Pool, block: str, total: Resources) -> None:
        self.id = id
        self.pool = pool
        self.block = block
        self.total = total
        self.cores, self.memory, self.gpus = total.cores, total.memory, total.gpus
        self.spare_cores = list(range(total.cores))
        self.spare_gpus = list(range(total.gpus))
        self.slots: dict[SlotId, Slot] = {}
        self.idle: dict[SlotId, Slot] = {}
        self.is_draining = False
        self.until = self.lifetime = NEVER

    def has_room(self, need: Resources) -> bool:
        """Tell whether a call with this need can start at once."""
        return (
            bool(self.idle)
            and not self.is_draining
            and need.cores <= self.cores
            and need.memory <= self.memory
            and need.gpus <= self.gpus
        )

    def can_host(self, need: Resources, seconds: float | None, now: float) -> bool:
        """Tell whether a call could start here as soon as others have ended."""
        return not self.is_draining and _holds(self.total, need) and self.has_time(seconds, now)

    def has_time(self, seconds: float | None, now: float) -> bool:
        """Tell whether a task that is expected to take `seconds` can end before the node does."""
        return self.until == NEVER or self.until - now >= time_needed(seconds, self.lifetime)

    def is_whole(self) -> bool:
        """Tell whether nothing at all runs here."""
        return len(self.idle) == len(self.slots) > 0 and self.cores == self.total.cores

    def charge(self, need: Resources, sign: int) -> None:
        """Take what a call needs (1), or give it back (-1)."""
        self.cores -= sign * need.cores
        self.memory -= sign * need.memory
        self.gpus -= sign * need.gpus
        self.refresh()

    def refresh(self) -> None:
        """Note for whose needs there is room now."""
        pool = self.pool
        if self.has_room(ONE_CORE):
            pool.open[self.id] = self
        else:
            pool.open.pop(self.id, None)
        for need, fitting in pool.fitting.items():
            if self.has_room(need):
                fitting[self.id] = self
            else:
                fitting.pop(self.id, None)

    def give(self, need: Resources) -> Grant | None:
        """Choose the very cores and GPUs of a call that needs more than a core, or says how much memory."""
        if need.cores == need.ranks_per_node == 1 and not need.gpus and not need.memory:
            return None
        cores = need.cores if need.cores > 1 else 0
        grant = Grant(
            gpus=tuple(self.spare_gpus[: need.gpus]),
            cores=tuple(self.spare_cores[:cores]),
            memory=need.memory,
            ranks_per_node=need.ranks_per_node,
        )
        del self.spare_gpus[: need.gpus], self.spare_cores[:cores]
        return grant

    def take_back(self, grant: Grant) -> None:
        """Take back what `give` gave."""
        self.spare_gpus = sorted((*self.spare_gpus, *grant.gpus))
        self.spare_cores = sorted((*self.spare_cores, *grant.cores))


@final
class Pool:
    """Know one executor's nodes and slots, where there is room, and how long each app takes there.

    `open` are the nodes with room for a call of one core, `fitting` those for other needs that were asked
    about, `roomy` the busy slots that can take more into their bundle. `size` counts the slots that take
    calls. `tried` are the apps that had their trial here, `wait` is how long a new block would wait.

    The last to get room is the first to be used: its process is awake, and idle nodes stay idle, so that they
    can be given up.
    """

    __slots__ = (
        "blocks",
        "busy",
        "fitting",
        "id",
        "keeps_results",
        "largest",
        "nodes",
        "open",
        "quiet_since",
        "roomy",
        "seconds",
        "size",
        "tried",
        "wait",
    )

    def __init__(self, id: ExecutorId, capacity: Capacity) -> None:
        self.id = id
        self.largest = capacity
        self.keeps_results = capacity.keeps_results
        self.nodes: dict[NodeId, Node] = {}
        self.blocks: dict[str, dict[NodeId, Node]] = {}
        self.open: dict[NodeId, Node] = {}
        self.fitting: dict[Resources, dict[NodeId, Node]] = {}
        self.busy: dict[SlotId, Slot] = {}
        self.roomy: dict[SlotId, Slot] = {}
        self.seconds: dict[AppId, float] = {}
        self.tried: set[AppId] = set()
        self.size = 0
        self.wait = NEVER
        self.quiet_since: float | None = None

    # What comes and goes

    def open_node(self, id: NodeId, block: str, total: Resources) -> Node:
        """Add a node, without slots as yet."""
        node = self.nodes[id] = Node(id, self, block, total)
        self.blocks.setdefault(block, {})[id] = node
        return node

    def open_slot(self, id: SlotId, at: NodeId | None) -> Slot | None:
        """Add a slot; without `at` it is on the node that an executor on one computer has."""
        node = self.nodes.get(at or HERE)
        if node is None and at is None:
            node = self.open_node(HERE, "", self.largest.total)
        if node is None:
            return None
        slot = node.slots[id] = node.idle[id] = Slot(id, node)
        self.size += not node.is_draining
        node.refresh()
        return slot

    def close_slot(self, slot: Slot) -> None:
        """Forget a slot; what its calls had is free."""
        node = slot.node
        if slot.hand:
            self.give_back(slot)
        del node.slots[slot.id], node.idle[slot.id]
        self.size -= not node.is_draining
        node.refresh()

    def drain(self, node: Node) -> None:
        """Give nothing more to a node."""
        if not node.is_draining:
            node.is_draining = True
            self.size -= len(node.slots)
            for id in node.slots:
                self.roomy.pop(id, None)
            node.refresh()

    def close_node(self, node: Node) -> None:
        """Forget a node that has no slots any more."""
        del self.nodes[node.id]
        block = self.blocks[node.block]
        del block[node.id]
        if not block:
            del self.blocks[node.block]

    def occupy(self, slot: Slot, need: Resources, taken: list[Node]) -> None:
        """Let an idle slot, and the nodes that are `taken` whole, have what a call needs."""
        node = slot.node
        del node.idle[slot.id]
        self.busy[slot.id] = slot
        slot.need = need
        if taken:
            slot.taken = taken
            slot.grant = Grant(tuple(one.id for one in taken), ranks_per_node=need.ranks_per_node)
            for one in taken:
                one.charge(one.total, 1)
        else:
            slot.grant = node.give(need)
            node.charge(need, 1)

    def give_back(self, slot: Slot) -> None:
        """Make a slot idle, and free what its calls had."""
        node = slot.node
        slot.seconds = 0.0
        slot.is_exclusive = False
        del self.busy[slot.id]
        self.roomy.pop(slot.id, None)
        node.idle[slot.id] = slot
        if slot.taken:
            taken, slot.taken = slot.taken, []
            for one in taken:
                one.charge(one.total, -1)
        else:
            if slot.grant is not None:
                node.take_back(slot.grant)
            node.charge(slot.need, -1)
        slot.grant = None

    # What is asked

    def fits_ever(self, need: Resources) -> bool:
        """Tell whether this executor can have what a call needs."""
        return _holds(self.largest.total, need) and need.nodes <= self.largest.nodes

    def find(
        self, need: Resources, seconds: float | None, now: float, kept: Container[Node], *, shares: bool
    ) -> Slot | None:
        """Return a slot for a call, one with calls in hand where it `shares` the slot with them.

        Nodes that are `kept` for others, or whose time ends too early, are passed over.
        """
        for node in reversed(self._with_room(need).values()):
            if node not in kept and node.has_time(seconds, now):
                return next(reversed(node.idle.values()))
        if shares:
            for slot in self.roomy.values():
                if slot.node not in kept and slot.node.has_time(seconds, now):
                    return slot
        return None

    def find_whole(
        self, need: Resources, seconds: float | None, now: float, kept: Container[Node]
    ) -> list[Node]:
        """Return as many whole nodes of one block as a call needs, or none."""
        for block in self.blocks.values():
            whole = [
                node
                for node in block.values()
                if node.is_whole() and node not in kept and node.can_host(need, seconds, now)
            ]
            if len(whole) >= need.nodes:
                return whole[: need.nodes]
        return []

    def emptiest(self, need: Resources, seconds: float | None, now: float) -> list[Node]:
        """Return the nodes, of one block, that have the least to end before a call could start there."""
        groups = self.blocks.values() if need.nodes > 1 else (self.nodes,)
        found = []
        for group in groups:
            nodes = [node for node in group.values() if node.can_host(need, seconds, now)]
            if len(nodes) >= need.nodes:
                # Sorting keeps the order of those that are equal.
                nodes.sort(key=lambda node: node.cores, reverse=True)
                found.append(nodes[: need.nodes])
        return max(found, key=lambda nodes: sum(node.cores for node in nodes), default=[])

    def free_in(self, need: Resources, now: float) -> tuple[float, float]:
        """Return in how many seconds the first slot is expected to be free, and on the average each.

        To be asked when none was found. Where there is room all the same, it is kept for others or its time
        ends too early: then a new block is waited for.
        """
        if not self.size or (need.nodes == 1 and self._with_room(need)):
            return self.wait, self.wait
        left = [slot.seconds_left(now) for slot in islice(self.busy.values(), SAMPLE)]
        if not left:
            return 0.0, 0.0
        return min(left), sum(left) / len(left) * len(self.busy) / self.size

    def describe(self, need: Resources) -> str:
        """Return how busy this executor is, for people."""
        if not self.size:
            return f"{self.id} has no node as yet"
        room = len(self._with_room(need))
        spare = f", room on {room} of {len(self.nodes)} nodes" if len(self.nodes) > 1 else ""
        return f"{self.id} has {len(self.busy)} of {self.size} slots at work{spare}"

    def _with_room(self, need: Resources) -> dict[NodeId, Node]:
        if need is ONE_CORE:
            return self.open
        fitting = self.fitting.get(need)
        if fitting is None:
            if len(self.fitting) == INDEX_LIMIT:
                del self.fitting[next(iter(self.fitting))]
            fitting = {node.id: node for node in self.nodes.values() if node.has_room(need)}
            self.fitting[need] = fitting
        return fitting


def _holds(total: Resources, need: Resources) -> bool:
    return need.cores <= total.cores and need.memory <= total.memory and need.gpus <= total.gpus
