"""Own what an executor shows of its nodes, and what it lets a person decide about their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from nbflow.core.ids import NodeId, SlotId, TaskId

__all__ = ["BlockView", "HasBlocks", "NodeView", "SlotView", "describe_standing"]


@final
@dataclass(frozen=True, slots=True)
class SlotView:
    """Show one slot: the tasks that it has in hand, the one that runs first."""

    id: SlotId
    tasks: tuple[TaskId, ...]


@final
@dataclass(frozen=True, slots=True)
class NodeView:
    """Show one node and its slots."""

    name: NodeId
    host: str
    slots: tuple[SlotView, ...]


@final
@dataclass(frozen=True, slots=True)
class BlockView:
    """Show one block: its job, where it stands and why, its nodes."""

    name: str
    job: str
    stage: str
    reason: str
    nodes: tuple[NodeView, ...]

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more comes of it."""
        return self.stage == "ended"

    @property
    def standing(self) -> str:
        """Return where it stands, and why, in one line."""
        return describe_standing(self.stage, self.reason)


def describe_standing(stage: str, reason: str) -> str:
    """Return where a block stands, and why, in one line."""
    return f"{stage} ({' '.join(reason.split())})" if reason else stage


@runtime_checkable
class HasBlocks(Protocol):
    """Be an executor whose workers come and go in blocks."""

    @property
    def standing(self) -> str:
        """Say what is wrong at its site, or why there is no block; empty when all is well."""

    def blocks(self) -> Sequence[BlockView]:
        """Return what there is now, oldest first, with blocks that have ended lately."""

    def scale(self, blocks: int) -> None:
        """Have just so many blocks from now on, whatever there is to do."""
