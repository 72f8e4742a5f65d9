"""A simulated executor of blocks, which does what `decide` says: a queue, walltimes, failures."""

from collections.abc import Iterable
from dataclasses import replace

from nbflow.core.scaling import Block, Cancel, Drain, Limits, Outlook, Phase, Queued, Request, Shape, decide
from nbflow.core.task import ONE_CORE

TICK = 5.0


class Cluster:
    """Blocks start after `queue_seconds`, and run tasks of one core for as long as they last."""

    def __init__(
        self, shape: Shape, limits: Limits, *, queue_seconds: float = 0.0, blocks: Iterable[Block] = ()
    ) -> None:
        self.shape = shape
        self.limits = limits
        self.queue_seconds = queue_seconds
        self.blocks = list(blocks)
        self.is_broken = False
        self.now = 0.0
        self.requested = self.cancelled = self.done = 0
        self._queue: list[float] = []
        self._running: list[tuple[str, float]] = []  # the block, and when the task ends
        self._quiet_since: float | None = 0.0

    def submit(self, tasks: int, seconds: float) -> None:
        self._queue += [seconds] * tasks

    def count(self, *phases: Phase) -> int:
        return sum(block.phase in phases for block in self.blocks)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self._work()
            self.turn(TICK, self._outlook())

    def turn(self, seconds: float, outlook: Outlook) -> None:
        """Do what is decided, then let time go by."""
        for step in decide(outlook, self.blocks, self.limits, self.shape, self.now):
            if isinstance(step, Request):
                self.requested += 1
                phase = Phase.FAILED if self.is_broken else Phase.PENDING
                self.blocks.append(Block(id=f"block {self.requested}", phase=phase, since=self.now))
            else:
                self.cancelled += isinstance(step, Cancel)
                self._change(step.block, Phase.DRAINING if isinstance(step, Drain) else Phase.ENDED)
        self.now += seconds
        for block in self.blocks:
            if block.phase is Phase.PENDING and self.now - block.since >= self.queue_seconds:
                until = self.now + (self.shape.walltime or 1e9)
                self._change(block.id, Phase.ACTIVE, idle_since=self.now, until=until)
            elif (block.phase is Phase.DRAINING and not block.busy) or (
                block.phase is Phase.ACTIVE and block.until is not None and self.now >= block.until
            ):
                self._change(block.id, Phase.ENDED)

    def _change(self, id: str, phase: Phase, **more: float) -> None:
        at = next(n for n, block in enumerate(self.blocks) if block.id == id)
        self.blocks[at] = replace(self.blocks[at], phase=phase, since=self.now, **more)  # type: ignore[arg-type]

    def _outlook(self) -> Outlook:
        if self._queue or self._running:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = self.now
        queued = (
            (Queued(ONE_CORE, len(self._queue), sum(self._queue), max(self._queue)),) if self._queue else ()
        )
        return Outlook(queued, len(self._running), self._quiet_since)

    def _work(self) -> None:
        self.done += sum(end <= self.now for _, end in self._running)
        self._running = [(id, end) for id, end in self._running if end > self.now]
        for at, block in enumerate(self.blocks):
            if block.phase in (Phase.ACTIVE, Phase.DRAINING):
                self.blocks[at] = self._give(block)

    def _give(self, block: Block) -> Block:
        busy = sum(id == block.id for id, _ in self._running)
        while (
            block.phase is Phase.ACTIVE
            and busy < self.shape.nodes * self.shape.slots
            and self._queue
            and self.now + self._queue[0] * 1.2 <= (block.until or 1e12)
        ):
            self._running.append((block.id, self.now + self._queue.pop(0)))
            busy += 1
        idle_since = None if busy else block.idle_since if block.idle_since is not None else self.now
        return replace(block, busy=busy, idle_since=idle_since)
