"""Own the reading of one task's events as its tries. It asks no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import final

from nbflow.journal.rows import Detail, EventRow

__all__ = ["Attempt", "attempts"]

NOTHING_TOLD = Detail()

ENDS = frozenset(("CancelRequested", "MemoHit", "Returned", "Spawned", "StagingFailed", "TryFailed"))
"""Events that end a try."""

ENDS_UNSENT = frozenset(("MemoHit", "StagingFailed"))
"""Those of them that end a try which never had a slot."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Describe one try of a task: when it ran, where, why there, and how it ended.

    `end` is an event's name.
    """

    try_id: int
    slot: str | None = None
    why: str | None = None
    started: float | None = None
    ended: float | None = None
    end: str | None = None
    detail: Detail = NOTHING_TOLD


def attempts(history: Iterable[EventRow]) -> list[Attempt]:
    """Sum up the events of one task as the tries that were made, first to last."""
    found: dict[int, Attempt] = {}
    for event in history:
        made = found.get(event.try_id)
        if event.event == "Dispatched":
            sent = Detail.from_json(event.detail)
            found[event.try_id] = Attempt(
                try_id=event.try_id, slot=sent.slot, why=sent.why, started=event.time
            )
        elif event.event == "DepFailed" and made and made.ended is None:
            del found[event.try_id]  # sent ahead, behind the parent that failed: it never started
        elif event.event in (ENDS if made else ENDS_UNSENT):
            found[event.try_id] = replace(
                made or Attempt(try_id=event.try_id),
                ended=event.time,
                end=event.event,
                detail=Detail.from_json(event.detail),
            )
    return list(found.values())
