"""Own which tasks a view is about: some futures' tasks and all that they need. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from nbflow.journal.rows import ARGUMENT, EdgeRow

__all__ = ["Focus"]


@final
class Focus:
    """Keep a set of tasks closed under "needs": arguments, and what a join made or returned."""

    def __init__(self, tasks: Iterable[int]) -> None:
        self.tasks = set(tasks)
        self._needs: dict[int, list[int]] = {}

    def widen(self, edges: Iterable[EdgeRow]) -> set[int]:
        """Take in new edges; return the tasks that came in by them."""
        came: set[int] = set()
        for parent, child, kind in edges:
            consumer, needed = (child, parent) if kind == ARGUMENT else (parent, child)
            self._needs.setdefault(consumer, []).append(needed)
            if consumer in self.tasks:
                self._include(needed, came)
        return came

    def _include(self, task: int, came: set[int]) -> None:
        todo = [task]
        while todo:
            task = todo.pop()
            if task not in self.tasks:
                self.tasks.add(task)
                came.add(task)
                todo.extend(self._needs.get(task, ()))
