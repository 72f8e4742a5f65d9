"""Own the places of workers that did not get ready: when the next try is due, and when there is none."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import final

from nbflow.wire.messages import Call

__all__ = ["REST_SECONDS", "STARTS", "Vacancy", "vacancy_after"]

STARTS = 3
"""Tries to start a worker in one place before that place is given up."""
START_DELAY_SECONDS = 0.2
REST_SECONDS = 5.0
"""How long a place that was given up refuses calls before it is tried once more."""


@final
@dataclass(slots=True)
class Vacancy:
    """Be a place without a worker until `due` (monotonic clock); what was sent to it waits in `backlog`.

    `start` counts the processes that the place was given in a row, with the next one.
    """

    due: float
    start: int
    backlog: deque[Call]


def vacancy_after(start: int, backlog: deque[Call], now: float) -> Vacancy | None:
    """Return the vacancy that follows when start number `start` came to nothing; None for no further try."""
    if start >= STARTS:
        return None
    return Vacancy(now + START_DELAY_SECONDS * 2 ** (start - 1), start + 1, backlog)
