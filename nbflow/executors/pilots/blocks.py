"""Own what a block is, where it stands, and how it ended. How many there should be is for `core.scaling`."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self, final

from nbflow.core import scaling
from nbflow.core.scaling import Phase
from nbflow.core.states import Cause
from nbflow.executors.pilots.berth import BlockRecord
from nbflow.providers.job import EndCause, JobId, JobState, JobStatus

__all__ = ["Block", "Stage", "cause_of", "describe_end"]

CREDIBLE_SECONDS: Final = 300.0
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
    """Be one job of fixed shape. `reason` is the batch system's, or how the block ended.

    Times are monotonic, but for `asked_at` and `ends_clock`, which are of day. `since` is when it was asked
    for, came up, or ended. `busy` counts the slots that have something to do, `ends_at` is when its walltime
    ends; `idle_since` when the last of its calls ended, `bare_since` when it runs without a node.
    `expected_at` is when the batch system expects it to start (time of day).
    `is_inherited` tells that another kernel asked for it, `is_leaving` that its job was cancelled here.
    """

    name: str
    since: float
    stage: Stage = Stage.REQUESTED
    job: JobId | None = None
    reason: str = ""
    walltime: float = math.inf
    ends_at: float = math.inf
    busy: int = 0
    idle_since: float | None = None
    bare_since: float | None = None
    has_come_up: bool = False
    is_inherited: bool = False
    is_leaving: bool = False
    asked_at: float = field(default_factory=time.time)
    ends_clock: float | None = None
    expected_at: float | None = None
    nodes: list[str] = field(default_factory=list)

    @property
    def is_awaited(self) -> bool:
        """Tell whether its first node is still to come."""
        return self._phase() is Phase.PENDING

    @property
    def gives_up_at(self) -> float:
        """Return when what it has not finished is given up."""
        return self.ends_at - END_SECONDS

    def enter(self, stage: Stage, reason: str, now: float) -> None:
        """Come to another stage."""
        self.stage, self.reason, self.since = stage, reason, now

    def as_seen(self) -> scaling.Block:
        """Return what a decision about the number of blocks has to know of it."""
        return scaling.Block(
            id=self.name,
            phase=self._phase(),
            since=self.since,
            busy=self.busy,
            idle_since=self.idle_since,
            until=None if self.ends_at == math.inf else self.gives_up_at,
        )

    def _phase(self) -> Phase:
        if self.stage is Stage.ENDED:
            return Phase.ENDED if self.has_come_up or self.is_leaving else Phase.FAILED
        if self.stage is Stage.DRAINING:
            return Phase.DRAINING
        if self.has_come_up:  # without a node it is lost, though its job goes on for the moment
            return Phase.ACTIVE if self.nodes else Phase.ENDED
        return Phase.PENDING

    def follow(self, status: JobStatus, now: float, clock: float) -> bool:
        """Take in what the batch system says; return whether the block has ended by that.

        `now` is monotonic; `clock` is the time of day, which the batch system uses.
        """
        if self.stage.is_over:
            return False
        if status.state is JobState.ENDED:
            self.enter(Stage.ENDED, describe_end(status), now)
            return True
        if status.state is JobState.PENDING:
            if self.stage is Stage.REQUESTED:
                self.stage = Stage.PENDING
            self.reason = status.reason or status.word
            self.expected_at = status.expected_at
        elif status.state is JobState.ACTIVE and self.stage in (Stage.REQUESTED, Stage.PENDING):
            self.enter(Stage.ACTIVE, "", self.since)
            age = clock - status.started_at if status.started_at else 0.0
            # A clock that is wrong by hours says nothing, unless hours may have passed unseen.
            credible = self.walltime if self.is_inherited else CREDIBLE_SECONDS
            left = self.walltime - (age if 0 < age < credible else 0.0)
            self.ends_at = now + left
            self.ends_clock = None if left == math.inf else clock + left
        return False

    def record(self) -> BlockRecord:
        """Return what the next kernel has to know of it."""
        return BlockRecord(
            name=self.name,
            job=self.job,
            walltime=None if self.walltime == math.inf else self.walltime,
            asked_at=self.asked_at,
            ends_at=self.ends_clock,
            has_come_up=self.has_come_up,
        )

    @classmethod
    def inherit(cls, record: BlockRecord, now: float, clock: float) -> Self:
        """Return the block that another kernel left."""
        age = 0.0 if record.has_come_up else max(0.0, clock - record.asked_at)
        return cls(
            record.name,
            now - age,
            stage=Stage.ACTIVE if record.has_come_up else Stage.REQUESTED,
            job=None if record.job is None else JobId(record.job),
            walltime=math.inf if record.walltime is None else record.walltime,
            ends_at=math.inf if record.ends_at is None else now + record.ends_at - clock,
            has_come_up=record.has_come_up,
            is_inherited=True,
            asked_at=record.asked_at,
            ends_clock=record.ends_at,
        )


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
