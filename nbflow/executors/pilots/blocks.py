"""Own what a block is and where it stands, and how many there should be. Values and decisions only."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, final

from nbflow.core.scaling import Outlook
from nbflow.core.states import Cause
from nbflow.providers.job import EndCause, JobId, JobState, JobStatus
from nbflow.sites.model import BlockLimits

__all__ = ["Block", "Stage", "blocks_wanted", "cause_of", "describe_end", "idle_blocks"]

DRAIN_SHARE: Final = 0.1
LONGEST_DRAIN_SECONDS: Final = 300.0
END_SECONDS: Final = 3.0
"""How long before the walltime ends what is unfinished is given up: batch systems may be early."""


@final
class Stage(StrEnum):
    """Name where a block stands, in the order of its life."""

    REQUESTED = "requested"
    PENDING = "pending"
    ACTIVE = "active"
    DRAINING = "draining"
    ENDED = "ended"

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more comes of it."""
        return self is Stage.ENDED


@final
@dataclass(slots=True)
class Block:
    """Be one job of fixed shape. Times are monotonic; `reason` is the batch system's, or how the block ended.

    `ends_at` is when its walltime ends; `idle_since` when the last of its calls ended, `bare_since`
    when it runs without a node. `is_leaving` tells that its job was cancelled here.
    """

    name: str
    stage: Stage = Stage.REQUESTED
    job: JobId | None = None
    reason: str = ""
    walltime: float = math.inf
    ends_at: float = math.inf
    idle_since: float | None = None
    bare_since: float | None = None
    has_come_up: bool = False
    is_leaving: bool = False
    nodes: list[str] = field(default_factory=list)

    @property
    def is_at_work(self) -> bool:
        """Tell whether it has nodes, or will."""
        is_lost = self.has_come_up and not self.nodes
        return self.stage in (Stage.REQUESTED, Stage.PENDING, Stage.ACTIVE) and not is_lost

    @property
    def drains_at(self) -> float:
        """Return when it must be given no more, so that what it has can end in time."""
        return self.gives_up_at - min(DRAIN_SHARE * self.walltime, LONGEST_DRAIN_SECONDS)

    @property
    def gives_up_at(self) -> float:
        """Return when what it has not finished is given up."""
        return self.ends_at - END_SECONDS

    def follow(self, status: JobStatus, now: float, clock: float) -> bool:
        """Take in what the batch system says; return whether the block has ended by that.

        `now` is monotonic; `clock` is the time of day, which the batch system uses.
        """
        if self.stage.is_over:
            return False
        if status.state is JobState.ENDED:
            self.stage = Stage.ENDED
            self.reason = describe_end(status)
            return True
        if status.state is JobState.PENDING:
            self.stage = max(self.stage, Stage.PENDING, key=list(Stage).index)
            self.reason = status.reason or status.word
        elif status.state is JobState.ACTIVE and self.stage in (Stage.REQUESTED, Stage.PENDING):
            self.stage = Stage.ACTIVE
            self.reason = ""
            age = clock - status.started_at if status.started_at else 0.0
            # A clock that is wrong by hours says nothing.
            self.ends_at = now + self.walltime - (age if 0 < age < LONGEST_DRAIN_SECONDS else 0.0)
        return False


OUTSIDE: Final = frozenset(
    {EndCause.CANCELLED, EndCause.TIMEOUT, EndCause.NODE_FAIL, EndCause.PREEMPTED, EndCause.COMPLETED}
)
"""Ends that are no fault of the calls that ran there."""


def cause_of(status: JobStatus) -> Cause:
    """Return what calls that ran in an ended job are told."""
    if status.cause is EndCause.OUT_OF_MEMORY:
        return Cause.OOM
    return Cause.EXPIRED if status.cause in OUTSIDE else Cause.LOST


def describe_end(status: JobStatus) -> str:
    """Return how a job ended, for people."""
    words = [f"its job ended: {status.cause or EndCause.UNKNOWN}"]
    if status.exit_code and status.cause is EndCause.FAILED:
        words.append(f"exit code {status.exit_code}")
    if status.signal and status.cause is EndCause.FAILED:
        words.append(f"signal {status.signal}")
    if status.reason and status.reason.lower() not in ("none", ""):
        words.append(status.reason)
    return ", ".join(words)


def blocks_wanted(outlook: Outlook, limits: BlockLimits, slots_per_block: int, there: int) -> int:
    """Return how many blocks there should be: enough slots for what is queued and running, within limits."""
    queued = sum(one.tasks for one in outlook.queued)
    needed = math.ceil((queued + outlook.running) / slots_per_block)
    if queued == 0:
        needed = min(needed, there)
    return max(limits.min_blocks, min(limits.max_blocks, needed))


def idle_blocks(blocks: Collection[Block], now: float, idle_seconds: float, least: int) -> list[Block]:
    """Return the blocks that have been idle for too long, as many as can be missed, longest idle first."""
    at_work = [block for block in blocks if block.is_at_work]
    idle = [
        block for block in at_work if block.idle_since is not None and now - block.idle_since >= idle_seconds
    ]
    idle.sort(key=lambda block: block.idle_since or 0.0)
    return idle[: max(0, len(at_work) - least)]
