"""Own the question whether a task is too long for any block, and the words for it.

The end of a block's walltime is no fault of its tasks, and costs no retry. But one that had nearly all of a
block's time, and was not through, would start again for ever.
"""

from __future__ import annotations

from nbflow.errors import BlockTooShort

__all__ = ["is_too_long", "outlived"]

SHARE = 0.8
"""A task that had this share of a node's whole time has had all that it can get: placement gives one that was
cut off before to nodes with a fifth more time than that, and at the latest to nearly new ones."""


def is_too_long(seconds: float, lifetime: float) -> bool:
    """Tell whether a task that ran for so long on a node that ended by its walltime had as long as it can."""
    return seconds >= SHARE * lifetime


def outlived(task: int, seconds: float, lifetime: float) -> BlockTooShort:
    """Return the error of a task that no block is long enough for."""
    return BlockTooShort(
        f"task {task} ran for {seconds:.3g} s, until the walltime of its block ended, and was not through: a "
        f"node there has {lifetime:.3g} s in all, so it would never end. Give blocks more time "
        "(walltime= of nf.Pilots, block.walltime of the site), send the task to a site with longer ones, or "
        "divide it.",
        seconds=seconds,
        lifetime=lifetime,
        task=task,
    )
