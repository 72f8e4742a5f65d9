"""Own what an executor on this machine offers."""

from __future__ import annotations

import psutil

from nbflow.core.capacity import Capacity
from nbflow.core.ids import SlotId
from nbflow.core.task import Resources

__all__ = ["capacity_for"]


def capacity_for(slots: tuple[SlotId, ...], *, keeps_results: bool = False) -> Capacity:
    """Return these slots, a core for each, and the memory of this machine."""
    total = Resources(cores=len(slots), memory=psutil.virtual_memory().total)
    return Capacity(slots, total, keeps_results)
