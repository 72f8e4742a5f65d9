"""Own how many blocks an executor should have: a pure decision from what is wanted and what is there.

Blocks are asked for when what is queued would keep them busy for a while; they are given up when they have
been idle for some time, or their walltime is about to end. Between the two lies a gap, so that nothing
oscillates: a queue that changes a little changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import final

from nbflow.core.nodes import time_needed
from nbflow.core.task import Resources

__all__ = [
    "Block",
    "Cancel",
    "Drain",
    "Limits",
    "Outlook",
    "Phase",
    "Queued",
    "Request",
    "Shape",
    "Step",
    "decide",
    "next_attempt",
]

WORTH_SECONDS = 60.0
"""A slot is worth asking for when it would have this much to do; tasks of unknown length count as this."""

SLACK = 2
"""Pending blocks are cancelled when there are more than this many times those that are wanted."""

DRAIN_SECONDS = 30.0
"""A block takes no more when this much of its walltime is left, or a tenth of it if that is less."""

BACKOFF_SECONDS = 5.0
BACKOFF_LIMIT_SECONDS = 600.0


@final
@dataclass(frozen=True, slots=True)
class Queued:
    """Sum up the queued tasks that need the same: how many, their expected seconds of work, the longest.

    Both times are of the tasks whose run time can be told, and `unknown` counts the others.
    """

    need: Resources
    tasks: int
    seconds: float = 0.0
    longest: float = 0.0
    unknown: int = 0


@final
@dataclass(frozen=True, slots=True)
class Outlook:
    """Say what one executor could have to do: what is queued and may run there, how many slots are at work.

    `since` is the monotonic time at which the last of it ended, or None while there is something.
    """

    queued: tuple[Queued, ...] = ()
    running: int = 0
    since: float | None = None


@final
class Phase(Enum):
    """Name where a block stands."""

    PENDING = "pending"
    """Asked for; none of its nodes is there."""
    ACTIVE = "active"
    DRAINING = "draining"
    """Takes no more, and is given back when what runs there has ended."""
    FAILED = "failed"
    """Could not be had, or ended by itself before a node came up."""
    ENDED = "ended"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Say how one block stands; times are monotonic seconds.

    `since` is when it came to its phase. `busy` counts its slots at work, `idle_since` is when the last of
    them had ended, `until` when its walltime does.
    """

    id: str
    phase: Phase
    since: float
    busy: int = 0
    idle_since: float | None = None
    until: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """Say how many blocks there may be: at first, at least, at most; and how long one may be idle."""

    init: int = 1
    min: int = 0
    max: int = 1
    idle_seconds: float = 120.0


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """Say what one block offers: how many nodes, with how many slots and which resources each, for how long.

    `walltime` is in seconds, None for no end.
    """

    nodes: int
    slots: int
    total: Resources
    walltime: float | None = None

    def nodes_for(self, need: Resources, tasks: float) -> float:
        """Return how many nodes that many calls keep busy at once; none when one does not fit."""
        if need.nodes > 1:
            return tasks * need.nodes if need.nodes <= self.nodes else 0.0
        total = self.total
        room = min(
            self.slots,
            total.cores // need.cores,
            total.memory // need.memory if need.memory else self.slots,
            total.gpus // need.gpus if need.gpus else self.slots,
        )
        return tasks / room if room else 0.0


@final
@dataclass(frozen=True, slots=True)
class Request:
    """Ask for one more block."""

    reason: str


@final
@dataclass(frozen=True, slots=True)
class Drain:
    """Let a block take no more, and give it back when it is idle."""

    block: str
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back the request for a block that has not started."""

    block: str
    reason: str


Step = Request | Drain | Cancel


def decide(outlook: Outlook, blocks: Sequence[Block], limits: Limits, shape: Shape, now: float) -> list[Step]:
    """Return what to do about the blocks of an executor that is open, given all it ever had, oldest first.

    Of those that are over, the ones since the last that became active are enough.
    """
    steps: list[Step] = []
    there = [block for block in blocks if block.phase in (Phase.PENDING, Phase.ACTIVE)]
    wanted = _blocks_wanted(outlook, shape)
    for block in _ending(there, shape, now):
        steps.append(Drain(block.id, "its walltime is about to end"))
        there.remove(block)
    surplus = _surplus(there, wanted, outlook, limits, now)
    steps += surplus
    gone = {step.block for step in surplus}
    there = [block for block in there if block.id not in gone]

    # A block whose time is too short for what is queued does not count for it.
    useful = [block for block in there if _is_useful(block, outlook, shape, now)]
    missing = max(wanted - len(useful), _least(blocks, limits) - len(there))
    room = limits.max - len(there) - sum(block.phase is Phase.DRAINING for block in blocks)
    room -= sum(isinstance(step, Drain) for step in steps)
    if missing > 0 and room <= 0 and not gone:
        steps += _make_way(there, useful)
    if min(missing, room) > 0 and now >= next_attempt(blocks):
        reason = _reason(outlook, wanted) if wanted else "this many are to be there at least"
        # After a failure one at a time: the next will most likely fail for the same reason.
        count = 1 if _failures(blocks) else min(missing, room)
        steps += [Request(reason)] * count
    return steps


def next_attempt(blocks: Sequence[Block]) -> float:
    """Return when to ask again: after failures, each time twice as long after the last of them."""
    failures = _failures(blocks)
    if not failures:
        return float("-inf")
    last = max(block.since for block in blocks if block.phase is Phase.FAILED)
    return last + min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2.0 ** (failures - 1))


def _blocks_wanted(outlook: Outlook, shape: Shape) -> int:
    """Return how many blocks what is queued and running would keep busy."""
    nodes = outlook.running / shape.slots
    for queued in outlook.queued:
        known = min(queued.tasks - queued.unknown, ceil(queued.seconds / WORTH_SECONDS))
        nodes += shape.nodes_for(queued.need, max(1, known + queued.unknown))
    return ceil(round(nodes / shape.nodes, 9))


def _least(blocks: Sequence[Block], limits: Limits) -> int:
    return min(limits.max, limits.min if blocks else max(limits.init, limits.min))


def _is_useful(block: Block, outlook: Outlook, shape: Shape, now: float) -> bool:
    """Tell whether a block has the time for the longest task that is queued."""
    if block.phase is Phase.PENDING or block.until is None or not outlook.queued:
        return True
    longest = max(queued.longest for queued in outlook.queued)
    seconds = longest if not any(queued.unknown for queued in outlook.queued) else None
    lifetime = shape.walltime or block.until - block.since
    needed = max(time_needed(seconds, lifetime), time_needed(longest, lifetime))
    return block.until - now >= needed


def _ending(there: Iterable[Block], shape: Shape, now: float) -> list[Block]:
    """Return the active blocks whose walltime is about to end."""
    ending = []
    for block in there:
        if block.phase is Phase.ACTIVE and block.until is not None:
            lifetime = shape.walltime or block.until - block.since
            if block.until - now <= min(DRAIN_SECONDS, lifetime / 10):
                ending.append(block)
    return ending


def _surplus(
    there: Sequence[Block], wanted: int, outlook: Outlook, limits: Limits, now: float
) -> list[Drain | Cancel]:
    """Return what to give up: what exceeds the maximum, pending and idle blocks that nothing needs."""
    steps: list[Drain | Cancel] = []
    over = len(there) - limits.max
    spare = len(there) - max(limits.min, wanted)
    quiet = outlook.since is not None and now - outlook.since >= limits.idle_seconds
    many = quiet or 0 < SLACK * wanted < len(there)
    for block in _least_useful_first(there):
        if over > 0:
            reason = f"there may be {limits.max} blocks at most"
        elif spare > 0 and block.phase is Phase.PENDING and many:
            reason = "nothing is left to do for it"
        elif spare > 0 and _is_idle(block, limits, now):
            reason = f"it has been idle for {limits.idle_seconds:.0f} s"
        else:
            continue
        is_pending = block.phase is Phase.PENDING
        steps.append(Cancel(block.id, reason) if is_pending else Drain(block.id, reason))
        over -= 1
        spare -= 1
    return steps


def _is_idle(block: Block, limits: Limits, now: float) -> bool:
    return (
        block.phase is Phase.ACTIVE
        and not block.busy
        and block.idle_since is not None
        and now - block.idle_since >= limits.idle_seconds
    )


def _least_useful_first(blocks: Iterable[Block]) -> list[Block]:
    """Sort: pending ones, the youngest first, then those with the fewest slots at work, the oldest first."""
    pending = [block for block in blocks if block.phase is Phase.PENDING]
    active = [block for block in blocks if block.phase is not Phase.PENDING]
    pending.sort(key=lambda block: block.since, reverse=True)
    return pending + sorted(active, key=lambda block: (block.busy, block.since))


def _make_way(there: Sequence[Block], useful: Sequence[Block]) -> list[Drain]:
    """Give up an idle block that has too little time left, for one that has more."""
    for block in there:
        if block not in useful and not block.busy:
            return [Drain(block.id, "its walltime left is too short for what is queued")]
    return []


def _failures(blocks: Sequence[Block]) -> int:
    """Return how many blocks failed since the last one that became active."""
    count = 0
    for block in reversed(blocks):
        if block.phase is Phase.FAILED:
            count += 1
        elif block.phase is not Phase.PENDING:
            break
    return count


def _reason(outlook: Outlook, wanted: int) -> str:
    tasks = sum(queued.tasks for queued in outlook.queued)
    return f"{tasks} tasks are queued and {outlook.running} slots at work: enough for {wanted}"
