"""Own the words about how a site and its blocks stand. Pure: times are passed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nbflow.core.durations import in_words
from nbflow.core.scaling import Limits, Outlook, next_attempt
from nbflow.executors.pilots.blocks import Block, Stage
from nbflow.executors.pilots.waits import expected_wait

__all__ = ["describe_block", "describe_site"]

NO_REASON: Final = {
    Stage.REQUESTED: "its job is handed in",
    Stage.PENDING: "its job is queued",
    Stage.ACTIVE: "its job runs, its pilot is coming up",
}


def describe_block(block: Block, measured: Sequence[float], now: float, clock: float) -> str:
    """Return what a block that is awaited waits for, and how long yet; or how it ended.

    `measured` are waits of former blocks, `now` is monotonic, `clock` the time of day.
    """
    if not block.is_awaited:
        return block.reason
    told = block.reason or NO_REASON[block.stage]
    seconds = expected_wait([block], measured, now, clock)
    return told if seconds is None else f"{told}; expected in about {in_words(seconds)}"


def describe_site(blocks: Sequence[Block], limits: Limits, outlook: Outlook, trouble: str, now: float) -> str:
    """Return what is wrong, or why there is no block; empty when there is one and all is well."""
    has_blocks = not all(block.stage.is_over for block in blocks)
    if trouble:
        pause = next_attempt([block.as_seen() for block in blocks]) - now
        return trouble if has_blocks or pause <= 0 else f"{trouble}; the next try is in {in_words(pause)}"
    if has_blocks:
        return ""
    if not limits.max:
        return "none is wanted: nbflow.scale(1) asks for one"
    return "one is about to be asked for" if outlook.queued else "nothing is queued for it"
