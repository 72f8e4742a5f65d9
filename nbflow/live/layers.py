"""Own the layer of each node of a growing graph: longest paths, kept up to date edge by edge. Pure."""

from __future__ import annotations

from typing import final

__all__ = ["Layers"]


@final
class Layers:
    """Keep for each node a layer greater than that of everything it needs.

    Nodes are 0, 1, 2 ... in the order in which they were added. A node only ever moves to a later layer, so a
    graph that grows does not jump. What takes the result of a join comes after all that the join made: the
    `end` of a node is the last layer of its offspring.
    """

    def __init__(self) -> None:
        self.of: list[int] = []
        self._end: list[int] = []
        self._dependents: list[list[int]] = []
        self._offspring: list[list[int]] = []
        self._maker: list[int | None] = []

    def add(self) -> int:
        """Add a node to the first layer and give its number."""
        self.of.append(0)
        self._end.append(0)
        self._dependents.append([])
        self._offspring.append([])
        self._maker.append(None)
        return len(self.of) - 1

    def link(self, parent: int, child: int) -> None:
        """Put `child` behind `parent` and its offspring. An edge back to an older node moves nothing."""
        if parent < child:
            self._dependents[parent].append(child)
            self._move(child, self._end[parent] + 1)

    def spawn(self, maker: int, child: int) -> None:
        """Put `child` behind the join that made it, and in front of what takes the join's result."""
        if maker < child:
            self._offspring[maker].append(child)
            self._maker[child] = maker
            self._move(child, self.of[maker] + 1)
            self._stretch(maker, self._end[child])

    def _move(self, node: int, layer: int) -> None:
        """Move a node, and all that this pushes on. More layers than nodes mean a cycle: stop there."""
        todo = [(node, layer)]
        while todo:
            node, layer = todo.pop()
            if not self.of[node] < layer < len(self.of):
                continue
            self.of[node] = layer
            todo.extend((child, layer + 1) for child in self._offspring[node])
            todo.extend(self._pushed_by_end(node, layer))

    def _stretch(self, node: int, end: int) -> None:
        for pushed, layer in self._pushed_by_end(node, end):
            self._move(pushed, layer)

    def _pushed_by_end(self, node: int | None, end: int) -> list[tuple[int, int]]:
        """Let the end of a node, of its maker, of that one's maker ... be at least `end`."""
        pushed: list[tuple[int, int]] = []
        while node is not None and self._end[node] < end:
            self._end[node] = end
            pushed.extend((child, end + 1) for child in self._dependents[node])
            node = self._maker[node]
        return pushed
