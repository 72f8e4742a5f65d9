"""Own the thread that obtains blocks, gives them back, and follows what becomes of them.

It alone talks to the batch system, which may take its time. What engines say that have come up is heard by
the `Recruiter`, in a thread of its own.
"""

from __future__ import annotations

import logging
import math
import queue
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, final

from nbflow.core.ids import ExecutorId
from nbflow.core.scaling import Cancel, Drain, Outlook, Request, decide
from nbflow.core.states import Cause
from nbflow.errors import NbflowError, SubmitUncertain
from nbflow.executors.pilots.berth import Berth
from nbflow.executors.pilots.blocks import Block, Stage, cause_of
from nbflow.executors.pilots.lanes import Lanes
from nbflow.executors.pilots.node import Pass
from nbflow.executors.pilots.plan import Plan
from nbflow.executors.pilots.standing import describe_block, describe_site
from nbflow.executors.pilots.waits import WAITS_KEPT, expected_wait
from nbflow.providers.job import JobSpec, JobState, job_name
from nbflow.providers.protocol import Provider

__all__ = ["Foreman"]

log = logging.getLogger("nbflow")

ENDED_KEPT: Final = 50
SEEN_SECONDS: Final = 60.0
"""How often the record says that this kernel is there."""
SLOW_POLL_SECONDS: Final = 30.0
START_SECONDS: Final = 180.0
UNHEARD_SECONDS: Final = 15.0
"""How long after the restart of a controller a pilot may come that ran before. One that only the dead
controller knew never does: it takes itself for registered."""
BARE_SECONDS: Final = 60.0
"""How long a job may go on after its last pilot was lost: one that was only cut off may come back."""


@final
class _About(Enum):
    """Name what may be wrong; of each the last trouble counts."""

    SITE = "site"
    BLOCK = "block"
    CANCELLING = "cancelling"


@final
@dataclass(frozen=True, slots=True)
class _News:
    block: str
    what: str
    detail: str


@final
class Foreman:
    """Keep as many blocks as the work wants, within the plan's limits."""

    def __init__(
        self,
        label: ExecutorId,
        plan: Plan,
        provider: Provider,
        lanes: Callable[[], Lanes],
        berth: Berth,
    ) -> None:
        self._plan = plan
        self._provider = provider
        self._lanes = lanes
        self._berth = berth
        self._limits = plan.limits
        self._outlook = Outlook()
        self._inbox: queue.SimpleQueue[_News | None] = queue.SimpleQueue()
        self._is_open = True
        self._is_left = False
        self._inherited_at = time.monotonic()
        self.blocks: dict[str, Block] = {
            record.name: Block.inherit(record, self._inherited_at, time.time())
            for record in berth.record.blocks
        }
        self._restarted_at = -math.inf
        self._troubles: dict[_About, str] = {}
        # Of blocks that were asked for as the other kernel died, nobody knows whether their jobs exist.
        self._unsettled: dict[str, JobSpec] = {
            block.name: replace(self._spec(block.name), may_exist=True)
            for block in self.blocks.values()
            if block.job is None
        }
        self._thread = threading.Thread(target=self._run, name=f"nbflow-blocks-{label}", daemon=True)

    def start(self) -> None:
        """Ask for the first blocks."""
        self._thread.start()

    def let_back(self) -> None:
        """Let the lanes in that work in the blocks which another kernel left; before it can hear them."""
        for block in self.blocks.values():
            if block.ends_at != math.inf:
                self._lanes().expect_end(block.name, block.gives_up_at)
        for entry in self._berth.record.passes:
            if entry.block in self.blocks:
                self._lanes().allow_back(entry)

    # From any thread

    def tell(self, block: str, what: str, detail: str) -> None:
        """Take what the lanes say of a block."""
        self._inbox.put(_News(block, what, detail))

    def admit(self, name: str, key: str) -> Pass | None:
        """Let a lane in that comes for a block of ours; None for any other."""
        block = self.blocks.get(name)
        if block is None or block.stage.is_over:
            return None
        if block.ends_at == math.inf and block.walltime != math.inf:
            # It was not seen to start yet, though it did lately.
            late = min(SLOW_POLL_SECONDS, block.walltime / 10)
            self._lanes().expect_end(name, time.monotonic() + block.walltime - late)
        entry = Pass(key, name, self._plan.workers, self._plan.site.block.threads_per_worker)
        self._berth.admit(entry)
        self._lanes().allow(entry)
        return entry

    @property
    def wait_seconds(self) -> float | None:
        """Return in how many seconds the next node is expected, None when nobody knows."""
        return expected_wait(
            list(self.blocks.values()), self._berth.record.waits, time.monotonic(), time.time()
        )

    @property
    def trouble(self) -> str:
        """Say what is wrong at the site; empty when all is well."""
        told = [trouble for trouble in list(self._troubles.values()) if trouble]
        if self._provider.trouble:
            told.append(f"the batch system gives no good answer: {self._provider.trouble}")
        return "; ".join(told)

    @property
    def standing(self) -> str:
        """Say what is wrong, or why there is no block; empty when there is one and all is well."""
        blocks = list(self.blocks.values())
        return describe_site(blocks, self._limits, self._outlook, self.trouble, time.monotonic())

    def describe(self, block: Block) -> str:
        """Say what a block waits for, or how it ended."""
        return describe_block(block, self._berth.record.waits, time.monotonic(), time.time())

    def demand(self, outlook: Outlook) -> None:
        """Take what is wanted now."""
        is_urgent = bool(outlook.queued) and not self._outlook.queued
        self._outlook = outlook
        if is_urgent:
            self._inbox.put(None)

    def scale(self, blocks: int) -> None:
        """Have just so many blocks from now on."""
        self._limits = replace(self._limits, min=blocks, max=blocks)
        self._inbox.put(None)

    def leave(self) -> None:
        """End the thread, and leave all blocks to the next kernel."""
        self._is_left = True
        self.close()

    def close(self) -> None:
        """Cancel all jobs, and wait for the thread."""
        self._is_open = False
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join()

    # The thread

    def _run(self) -> None:
        while self._is_open:
            try:
                self._turn()
            except NbflowError as error:  # the site cannot be reached for the moment
                self._say(_About.SITE, str(error))
            except Exception:
                # A defect of ours must not leave jobs behind that nobody looks after.
                log.exception("nbflow could not look after the blocks of %s", self._plan.site.name)
            else:
                self._say(_About.SITE, "")
            self._keep_record()
            self._listen(time.monotonic() + self._plan.poll_seconds)
        if self._is_left:
            self._keep_record()
            return
        self._settle()
        self._cancel([block for block in self.blocks.values() if not block.stage.is_over])

    def _keep_record(self) -> None:
        clock = time.time()
        left = [block.record() for block in self.blocks.values() if not block.stage.is_over]
        seen = self._berth.record.seen
        self._berth.update(blocks=tuple(left), seen=clock if clock - seen > SEEN_SECONDS else seen)

    def _listen(self, until: float) -> None:
        """Take news until it is time to look again, or somebody is in a hurry."""
        while self._is_open and (left := until - time.monotonic()) > 0:
            try:
                news = self._inbox.get(timeout=left)
            except queue.Empty:
                return
            if news is None:
                return
            self._take(news)

    def _take(self, news: _News) -> None:
        if news.what == "restarted":
            self._restarted_at = time.monotonic()
        block = self.blocks.get(news.block)
        if block is None:
            return
        match news.what:
            case "up":
                if not block.has_come_up:
                    now = time.monotonic()
                    waits = (*self._berth.record.waits, now - block.since)
                    self._berth.update(waits=waits[-WAITS_KEPT:])
                    block.has_come_up, block.since = True, now
                    self._say(_About.BLOCK, "")
                block.nodes.append(news.detail)
            case "down":
                block.nodes = [name for name in block.nodes if name != news.detail]
                if block.nodes and block.stage is Stage.ACTIVE:
                    # It is no longer what was asked for: a task on all of its nodes would wait for ever.
                    block.enter(Stage.DRAINING, f"it lost {news.detail}", time.monotonic())
                    self._lanes().drain(block.name)
            case "useless":
                self._cancel([block])
                self._fail(block, news.detail)
            case "refused":
                self._say(_About.BLOCK, news.detail)
                self._limits = replace(self._limits, min=0, max=0)
                self._cancel([block])

    def _turn(self) -> None:
        now = time.monotonic()
        self._settle()
        self._follow(now)
        self._give_up_in_time(now)
        self._watch_bare(now)
        self._note_idleness(now)
        seen = [block.as_seen() for block in self.blocks.values()]
        for step in decide(self._outlook, seen, self._limits, self._plan.shape, now):
            match step:
                case Request():
                    self._request()
                case Drain(name, reason):
                    self.blocks[name].enter(Stage.DRAINING, reason, now)
                    self._lanes().drain(name)
                case Cancel(name, reason):
                    self.blocks[name].reason = reason
                    self._cancel([self.blocks[name]])
        drained = [
            block
            for block in self.blocks.values()
            if block.stage is Stage.DRAINING and not block.busy and not block.is_leaving
        ]
        for block in drained:
            self._lanes().end(block.name, Cause.RECALLED, block.reason)
        self._cancel(drained)

    def _request(self) -> None:
        if not self._is_open:
            return
        block = Block(job_name("nbf", secrets.token_hex(5)), time.monotonic())
        spec = self._spec(block.name)
        if spec.walltime_seconds is not None:
            block.walltime = float(spec.walltime_seconds)
        self.blocks[block.name] = block
        self._keep_record()  # before its job exists: it must not be lost with this process
        self._submit(block, spec)

    def _spec(self, name: str) -> JobSpec:
        return self._plan.job(name, self._berth.record.directory)

    def _submit(self, block: Block, spec: JobSpec) -> None:
        try:
            block.job = self._provider.submit(spec)
        except SubmitUncertain as error:
            self._unsettled[block.name] = spec
            self._say(_About.BLOCK, str(error))
        except NbflowError as error:
            self._fail(block, str(error))

    def _settle(self) -> None:
        """Ask again about jobs of which nobody knows whether they were accepted."""
        unsettled, self._unsettled = self._unsettled, {}
        for name, spec in unsettled.items():
            self._submit(self.blocks[name], spec)

    def _fail(self, block: Block, reason: str) -> None:
        """Note that nothing came of a block; the next ones are asked for later and later."""
        block.enter(Stage.ENDED, reason, time.monotonic())
        self._say(_About.BLOCK, f"a block could not be had: {reason}")

    def _say(self, about: _About, trouble: str) -> None:
        """Note what is wrong about something, or that nothing is any more."""
        if trouble and trouble != self._troubles.get(about):
            log.warning("nbflow: %s: %s", self._plan.site.name, trouble)
        self._troubles[about] = trouble

    def _follow(self, now: float) -> None:
        """Ask the batch system about all blocks that have not ended."""
        jobs = {block.job: block for block in self.blocks.values() if block.job and not block.stage.is_over}
        if not jobs:
            return
        for job, status in self._provider.status(list(jobs)).items():
            block = jobs[job]
            was_new = block.stage in (Stage.REQUESTED, Stage.PENDING)
            has_ended = block.follow(status, now, time.time())
            if was_new and status.state is JobState.ACTIVE:
                self._lanes().expect_end(block.name, block.gives_up_at)
            if has_ended:
                self._lanes().end(block.name, cause_of(status), block.reason)
                if not block.has_come_up and not block.is_leaving:
                    self._fail(block, f"{block.reason}, before its pilot came up")
        self._forget()

    def _give_up_in_time(self, now: float) -> None:
        """End blocks a little before their walltime ends."""
        for block in self.blocks.values():
            if now >= block.gives_up_at and not block.stage.is_over and not block.is_leaving:
                self._lanes().end(block.name, Cause.EXPIRED, "the walltime of its job ended")
                self._cancel([block])

    def _watch_bare(self, now: float) -> None:
        """Give up jobs that run without a pilot: it never came, or it is gone."""
        for block in self.blocks.values():
            if block.nodes or block.stage is not Stage.ACTIVE:
                block.bare_since = None
            elif block.bare_since is None:
                block.bare_since = now
            elif now - block.bare_since > (BARE_SECONDS if block.has_come_up else START_SECONDS):
                self._cancel([block])
                if not block.has_come_up:
                    self._fail(block, f"its job ran for {START_SECONDS:g} s, and no pilot came; see its log")
            elif not block.has_come_up and block.bare_since < self._restarted_at < now - UNHEARD_SECONDS:
                block.reason = "its pilot had registered with a controller that died"
                self._cancel([block])

    def _note_idleness(self, now: float) -> None:
        busy: Counter[str] = Counter()
        # Results that nobody took keep a block for as long as it would have waited for a kernel.
        is_settled = time.monotonic() - self._inherited_at > self._plan.patience.orphan
        for node in self._lanes().nodes():
            left = node.estate.alive or not (is_settled or node.estate.is_empty)
            busy[node.entry.block] += left + sum(not worker.is_idle for worker in list(node.crew.workers))
        for block in self.blocks.values():
            block.busy = busy[block.name]
            if block.busy or not block.nodes:
                block.idle_since = None
            elif block.idle_since is None:
                block.idle_since = now

    def _cancel(self, blocks: list[Block]) -> None:
        """Have jobs ended; while that cannot be done, it is tried again at each turn."""
        for block in blocks:
            if block.stage is not Stage.ENDED:
                block.stage = Stage.DRAINING
        try:
            self._provider.cancel([block.job for block in blocks if block.job is not None])
        except NbflowError as error:
            self._say(_About.CANCELLING, f"jobs could not be cancelled: {error}")
            return
        self._say(_About.CANCELLING, "")
        for block in blocks:
            block.is_leaving = True

    def _forget(self) -> None:
        ended = [block.name for block in self.blocks.values() if block.stage.is_over]
        for name in ended[:-ENDED_KEPT]:
            del self.blocks[name]
