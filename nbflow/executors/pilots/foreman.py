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
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, final

from nbflow.core.ids import ExecutorId
from nbflow.core.scaling import Outlook
from nbflow.core.states import Cause
from nbflow.errors import NbflowError
from nbflow.executors.pilots.blocks import Block, Stage, blocks_wanted, cause_of, idle_blocks
from nbflow.executors.pilots.lanes import Lanes
from nbflow.executors.pilots.node import Pass
from nbflow.executors.pilots.plan import Plan
from nbflow.providers.job import JobState, job_name
from nbflow.providers.protocol import Provider

__all__ = ["Foreman"]

log = logging.getLogger("nbflow")

BACK_OFF_SECONDS: Final = (2.0, 5.0, 15.0, 60.0, 300.0)
"""Between tries to get a block, after so many in a row that failed."""
ENDED_KEPT: Final = 50
SLOW_POLL_SECONDS: Final = 30.0
START_SECONDS: Final = 180.0
BARE_SECONDS: Final = 60.0
"""How long a job may go on after its last pilot was lost: one that was only cut off may come back."""


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
        self, label: ExecutorId, plan: Plan, provider: Provider, lanes: Callable[[], Lanes], directory: str
    ) -> None:
        self._plan = plan
        self._provider = provider
        self._lanes = lanes
        self._directory = directory
        self._limits = plan.site.limits
        self._outlook = Outlook()
        self._failures = 0
        self._not_before = 0.0
        self._inbox: queue.SimpleQueue[_News | None] = queue.SimpleQueue()
        self._is_open = True
        self.blocks: dict[str, Block] = {}
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name=f"nbflow-blocks-{label}", daemon=True)

    def start(self) -> None:
        """Ask for the first blocks."""
        self._thread.start()

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
            # It was not seen to start yet: it did just now.
            self._lanes().expect_end(name, time.monotonic() + block.walltime - SLOW_POLL_SECONDS)
        entry = Pass(key, name, self._plan.workers)
        self._lanes().allow(entry)
        return entry

    def demand(self, outlook: Outlook) -> None:
        """Take what is wanted now."""
        is_urgent = bool(outlook.queued) and not self._outlook.queued
        self._outlook = outlook
        if is_urgent:
            self._inbox.put(None)

    def scale(self, blocks: int) -> None:
        """Have just so many blocks from now on."""
        self._limits = replace(self._limits, min_blocks=blocks, max_blocks=blocks)
        self._inbox.put(None)

    def close(self) -> None:
        """Cancel all jobs, and wait for the thread."""
        self._is_open = False
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join()

    # The thread

    def _run(self) -> None:
        least = max(self._limits.init_blocks, self._limits.min_blocks)
        while self._is_open:
            try:
                self._turn(least)
            except NbflowError as error:  # the site cannot be reached for the moment
                self._say(str(error))
            least = self._limits.min_blocks
            self._listen(time.monotonic() + self._plan.poll_seconds)
        self._cancel([block for block in self.blocks.values() if not block.stage.is_over])

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
        block = self.blocks.get(news.block)
        if block is None:
            return
        match news.what:
            case "up":
                block.nodes.append(news.detail)
                block.has_come_up = True
            case "down":
                block.nodes.remove(news.detail)
            case "refused":
                self._say(news.detail)
                self._limits = replace(self._limits, min_blocks=0, max_blocks=0)
                self._cancel([block])

    def _turn(self, least: int) -> None:
        now = time.monotonic()
        self._follow(now)
        self._watch_walltimes(now)
        self._watch_bare(now)
        self._note_idleness(now)
        self._shrink(now)
        there = sum(block.is_at_work for block in self.blocks.values())
        wanted = blocks_wanted(
            self._outlook, self._limits, self._plan.workers * self._plan.site.block.nodes, there
        )
        for _ in range(max(wanted, min(least, self._limits.max_blocks)) - there):
            if time.monotonic() < self._not_before or not self._is_open:
                return
            self._request()

    def _request(self) -> None:
        block = Block(job_name("nbf", secrets.token_hex(5)))
        spec = self._plan.job(block.name, self._directory)
        if spec.walltime_seconds is not None:
            block.walltime = float(spec.walltime_seconds)
        self.blocks[block.name] = block
        try:
            block.job = self._provider.submit(spec)
        except NbflowError as error:
            self._fail(block, str(error))

    def _fail(self, block: Block, reason: str) -> None:
        """Note that nothing came of a block; after several in a row, wait longer and longer."""
        block.stage, block.reason = Stage.ENDED, reason
        pause = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
        self._failures += 1
        self._not_before = time.monotonic() + pause
        self._say(f"a block could not be had: {reason}; the next try is in {pause:g} s")

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            log.warning("nbflow: %s: %s", self._plan.site.name, trouble)

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
                if not block.nodes and not block.is_leaving:
                    self._fail(block, f"{block.reason} before its pilot came up")
        self._forget()

    def _watch_walltimes(self, now: float) -> None:
        for block in self.blocks.values():
            if block.stage.is_over:
                continue
            if now >= block.drains_at and block.stage is Stage.ACTIVE:
                block.stage, block.reason = Stage.DRAINING, "its walltime ends soon"
                self._lanes().drain(block.name)
            if now >= block.gives_up_at and not block.is_leaving:
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

    def _note_idleness(self, now: float) -> None:
        busy = {node.entry.block for node in self._lanes().nodes() if not node.crew.is_idle}
        for block in self.blocks.values():
            if block.nodes:
                self._failures = 0
            if block.name in busy or not block.nodes or self._outlook.queued:
                block.idle_since = None
            elif block.idle_since is None:
                block.idle_since = now

    def _shrink(self, now: float) -> None:
        """Give back blocks that are idle for too long, or that are too many."""
        blocks = list(self.blocks.values())
        idle = idle_blocks(blocks, now, self._plan.idle_seconds, self._limits.min_blocks)
        at_work = [block for block in blocks if block.is_at_work and block not in idle]
        # Youngest first: what waits in the queue, then what has just begun.
        surplus = at_work[::-1][: max(0, len(at_work) - self._limits.max_blocks)]
        for block in idle:
            self._lanes().end(block.name, Cause.RECALLED, "it was idle")
        for block in surplus:
            if block.stage is Stage.ACTIVE and block.nodes:
                block.stage, block.reason = Stage.DRAINING, "there are enough blocks"
                self._lanes().drain(block.name)
        self._cancel([*idle, *(block for block in surplus if block.stage is not Stage.DRAINING)])
        self._cancel(
            [
                block
                for block in blocks
                if block.stage is Stage.DRAINING and block.idle_since is not None and not block.is_leaving
            ]
        )

    def _cancel(self, blocks: list[Block]) -> None:
        for block in blocks:
            block.is_leaving = True
            if block.stage is not Stage.ENDED:
                block.stage = Stage.DRAINING
        try:
            self._provider.cancel([block.job for block in blocks if block.job is not None])
        except NbflowError as error:
            self._say(f"jobs could not be cancelled: {error}")

    def _forget(self) -> None:
        ended = [block.name for block in self.blocks.values() if block.stage.is_over]
        for name in ended[:-ENDED_KEPT]:
            del self.blocks[name]
