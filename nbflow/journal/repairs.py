"""Own the reading of one task's events as what people did to it: retries by hand, and their undoing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from nbflow.journal.rows import AppRow, Detail, EventRow

__all__ = ["Repair", "repairs"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Describe one retry by hand, or its undoing.

    `by` says who asked and `why` for what. `root` is the task that was asked for, when this one only went
    with it. `before` and `after` are the apps whose code the task ran with and runs with.
    """

    time: float
    try_id: int
    is_undo: bool
    by: str | None
    why: str | None
    root: int | None
    before: AppRow | None
    after: AppRow | None

    @property
    def has_other_code(self) -> bool:
        """Tell whether the code changed, and not only its definition was run again."""
        if self.before is None or self.after is None or self.before.app == self.after.app:
            return False
        return self.before.source is None or self.before.source != self.after.source

    def diff(self) -> list[str]:
        """Return what is different in the code, as lines of a unified diff; nothing where it is the same."""
        if not self.has_other_code or self.before is None or self.after is None:
            return []
        before, after = ((app.source or "").splitlines() for app in (self.before, self.after))
        return list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]

    def __str__(self) -> str:
        asker = f" by {self.by}" if self.by else ""
        if self.is_undo:
            return f"the retry was undone{asker}"
        what = f"with task {self.root}" if self.root is not None else ""
        told = " ".join(filter(None, (what, f"({self.why})" if self.why else "")))
        code = ", with other code" if self.has_other_code else ""
        return f"try {self.try_id} was asked for{asker}{f' {told}' if told else ''}{code}"


def repairs(history: Iterable[EventRow], first_app: int, apps: Mapping[int, AppRow]) -> list[Repair]:
    """Sum up the events of one task as its repairs; `first_app` is the app that it was submitted with."""
    found: list[Repair] = []
    before = first_app
    for event in history:
        if event.event not in ("RetryRequested", "Undone"):
            continue
        detail = Detail.from_json(event.detail)
        after = before if detail.code is None else detail.code
        found.append(
            Repair(
                time=event.time,
                try_id=event.try_id,
                is_undo=event.event == "Undone",
                by=detail.by,
                why=detail.why,
                root=detail.root if event.event == "RetryRequested" else None,
                before=apps.get(before),
                after=apps.get(after),
            )
        )
        before = after
    return found
