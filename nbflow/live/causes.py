"""Own the grouping of failures by their cause: the same app, error, and message but for numbers. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from nbflow.journal.table import TaskRecord

__all__ = ["Cause", "group"]

MOST_TASKS = 200
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|0x[0-9a-f]+|\d[\d.,_]*")
"""What differs between messages of one cause: quoted names, addresses, numbers."""


@final
@dataclass(frozen=True, slots=True)
class Cause:
    """Hold the tasks that failed for one reason, and how many tasks wait for them."""

    app: str
    error: str
    message: str
    tasks: tuple[TaskRecord, ...]
    blocked: int

    def to_message(self) -> dict[str, Any]:
        """Write for the browser; the calls of the first tasks only, the numbers of all."""
        return {
            "app": self.app,
            "error": self.error,
            "message": self.message,
            "blocked": self.blocked,
            "tasks": [one.task for one in self.tasks],
            "calls": [one.call for one in self.tasks[:MOST_TASKS]],
        }


def group(failed: Iterable[TaskRecord], blocked: Iterable[TaskRecord]) -> list[Cause]:
    """Group failed tasks, those that hold up most first; `blocked` are those that failed because of them."""
    groups: dict[tuple[str, str, str], list[TaskRecord]] = {}
    for record in failed:
        error, message = record.error or "", record.message or ""
        groups.setdefault((record.app, error, _VARYING.sub("#", message)), []).append(record)
    held_up = Counter(record.root for record in blocked)
    causes = [
        Cause(app, error, records[0].why, tuple(records), sum(held_up[one.task] for one in records))
        for (app, error, _), records in groups.items()
    ]
    return sorted(causes, key=lambda cause: -(len(cause.tasks) + cause.blocked))
