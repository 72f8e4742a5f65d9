"""Own what an executor says that it offers, before any of its nodes are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from nbflow.core.ids import SlotId
from nbflow.core.task import Resources

__all__ = ["Capacity"]


@final
@dataclass(frozen=True, slots=True)
class Capacity:
    """Say what an executor offers: its first slots, and the resources that they share.

    For one that has several nodes, or none as yet, `total` is what the largest offers, `nodes` how many there
    are in one block. `keeps_results` tells that a call can take the result of one before it in its bundle.
    """

    slots: tuple[SlotId, ...]
    total: Resources
    keeps_results: bool = False
    nodes: int = 1

    def describe(self) -> str:
        """Return what a call could have, for a message."""
        total = self.total
        nodes = f", nodes={self.nodes}" if self.nodes > 1 else ""
        return f"cores={total.cores}, memory={total.memory}, gpus={total.gpus}{nodes}"
