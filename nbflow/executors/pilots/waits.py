"""Own the estimate how long a block waits for its start: what the batch system says, what others took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from nbflow.executors.pilots.blocks import Block

__all__ = ["WAITS_KEPT", "expected_wait"]

WAITS_KEPT: Final = 5
"""Queues change with the hour: so many of the last waits count."""


def expected_wait(
    blocks: Iterable[Block], measured: Sequence[float], now: float, clock: float
) -> float | None:
    """Return in how many seconds the next node is expected, None when nobody knows.

    That is the first of the blocks that are asked for; without any, a new one. `measured` are waits of former
    blocks, `now` is monotonic, `clock` the time of day.
    """
    usual = median(measured) if measured else None
    pending = [block for block in blocks if block.is_awaited]
    if not pending:
        return usual
    waits = (_left(block, usual, now, clock) for block in pending)
    return min((wait for wait in waits if wait is not None), default=None)


def _left(block: Block, usual: float | None, now: float, clock: float) -> float | None:
    if block.expected_at is not None and block.expected_at > clock:
        return block.expected_at - clock
    if usual is None:
        return None
    age = now - block.since
    # One that is late is expected to take as long again: what held it up is not known to end.
    return usual - age if age < usual else age
