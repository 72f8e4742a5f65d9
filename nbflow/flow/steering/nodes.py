"""Own the words about what runs tasks: `nodes()` shows it, `scale()` changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final, overload

from nbflow.core.ids import TaskId
from nbflow.errors import ConfigError
from nbflow.executors.views import BlockView, HasBlocks, describe_standing
from nbflow.flow.current import current
from nbflow.flow.kernel import DataFlowKernel
from nbflow.journal.grid import aligned, html_table

__all__ = ["NodeRow", "NodeTable", "nodes", "nodes_of", "scale", "scale_kernel"]

COLUMNS = ("site", "block", "job", "stage", "node", "slots", "busy", "tasks")
TASKS_SHOWN = 6


@final
@dataclass(frozen=True, slots=True)
class NodeRow:
    """Show one node, or one block without any: `reason` is the queue's, or how the block ended.

    A row without a block says why a site has none, or what is wrong with it.
    """

    site: str
    block: str
    job: str
    stage: str
    reason: str
    node: str = ""
    slots: int = 0
    busy: int = 0
    tasks: tuple[TaskId, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """Return its texts, one for each column."""
        shown = " ".join(map(str, self.tasks[:TASKS_SHOWN]))
        more = f" and {len(self.tasks) - TASKS_SHOWN} more" if len(self.tasks) > TASKS_SHOWN else ""
        stage = describe_standing(self.stage, self.reason)
        counts = (str(self.slots), str(self.busy)) if self.node else ("", "")
        return self.site, self.block, self.job, stage, self.node, *counts, shown + more


@final
class NodeTable(Sequence[NodeRow]):
    """Be a list of nodes that shows itself well."""

    def __init__(self, rows: Sequence[NodeRow]) -> None:
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> NodeRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NodeRow]: ...
    def __getitem__(self, index: int | slice) -> NodeRow | Sequence[NodeRow]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        if not self._rows:
            return "no blocks: no site with blocks is loaded"
        return aligned([COLUMNS, *(row.cells for row in self._rows)])

    def _repr_html_(self) -> str:
        if not self._rows:
            return f"<p>{self!r}</p>"
        return html_table(COLUMNS, [one.cells for one in self._rows])


def nodes() -> NodeTable:
    """Return a table of blocks and nodes: what waits in a queue, what is there, what runs where."""
    return nodes_of(current())


def nodes_of(kernel: DataFlowKernel) -> NodeTable:
    """Return that for one dataflow kernel."""
    return NodeTable([row for site, one in _elastic(kernel).items() for row in _rows(site, one)])


def scale(blocks: int, *, site: str | None = None) -> None:
    """Have just so many blocks from now on at a site; it needs no name when there is only one.

    0 gives back all of them: what they run ends first. Raises ConfigError for a site that has no blocks.
    """
    scale_kernel(current(), blocks, site)


def scale_kernel(kernel: DataFlowKernel, blocks: int, site: str | None) -> None:
    """Do that for one dataflow kernel."""
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 0:
        raise ConfigError(f"scale({blocks!r}): give a whole number of blocks, 0 or more")
    elastic = _elastic(kernel)
    if not elastic:
        raise ConfigError(f"cannot scale: {kernel.describe_executors()} has a fixed number of workers")
    if site is None and len(elastic) == 1:
        (site,) = elastic
    if site is None or site not in elastic:
        raise ConfigError(f"scale(..., site={site!r}): sites with blocks here: {', '.join(elastic)}")
    elastic[site].scale(blocks)


def _elastic(kernel: DataFlowKernel) -> dict[str, HasBlocks]:
    return {str(one.label): one for one in kernel.executors if isinstance(one, HasBlocks)}


def _rows(site: str, executor: HasBlocks) -> Iterator[NodeRow]:
    blocks = executor.blocks()
    for block in blocks:
        yield from _rows_of(site, block)
    if executor.standing:
        stage = "no block" if all(block.has_ended for block in blocks) else "trouble"
        yield NodeRow(site, "", "", stage, executor.standing)


def _rows_of(site: str, block: BlockView) -> Iterator[NodeRow]:
    if not block.nodes:
        yield NodeRow(site, block.name, block.job, block.stage, block.reason)
    for node in block.nodes:
        tasks = tuple(task for slot in node.slots for task in slot.tasks)
        busy = sum(bool(slot.tasks) for slot in node.slots)
        yield NodeRow(
            site, block.name, block.job, block.stage, block.reason, node.name, len(node.slots), busy, tasks
        )
