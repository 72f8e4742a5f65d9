"""Own the choice among executors: where a task is expected to end first, and why. It keeps nothing.

A task leaves only when a slot is free (late binding), so there is one question: is a free slot at a slow
place better than waiting for a fast one? It is when the call would end there before the fast places were
through with all that is queued. Then it delays nothing, and the queue is shorter by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from nbflow.core.durations import in_words
from nbflow.core.ids import ExecutorId

__all__ = ["Offer", "describe", "faster_than", "is_worth", "prefer", "seconds_through"]

CLOSE = 1.1
"""Run times that differ by less count as equal: the order of preference decides."""

LEAST_SECONDS = 1e-3
"""Shorter run times count as this: the way there costs more."""

DESCRIBE_LIMIT = 6


@final
@dataclass(frozen=True, slots=True)
class Offer:
    """Say what one executor offers to a task.

    `seconds` is its expected run time there, None when it is unknown. `first` is when a slot is free, 0 for
    now; `mean` is when its `slots` are on the average. `is_trial` tells that calls of this app were measured
    elsewhere, and never were sent there: nobody can know that it is not the fastest.
    """

    executor: ExecutorId
    seconds: float | None
    slots: int
    first: float = 0.0
    mean: float = 0.0
    is_trial: bool = False

    @property
    def is_free(self) -> bool:
        """Tell whether the task could leave now."""
        return self.first == 0


def prefer(offers: Sequence[Offer]) -> Offer:
    """Return the offer with the shortest run time, the first of those that are about equal, or a trial."""
    for offer in offers:
        if offer.is_trial:
            return offer
    least = min(map(_length, offers))
    return next(offer for offer in offers if _length(offer) <= least * CLOSE)


def seconds_through(offers: Iterable[Offer], tasks: float) -> float:
    """Return in how many seconds these executors together are through with that many such tasks.

    Work is taken to be fluid, as water that fills vessels; but no task ends before one could start and run.
    """
    offers = sorted(offers, key=lambda offer: offer.mean)
    rate = begun = 0.0
    through = soonest = float("inf")
    for offer in offers:
        if offer.mean >= through:
            break
        speed = offer.slots / _length(offer)
        rate += speed
        begun += speed * offer.mean
        through = (tasks + begun) / rate
    for offer in offers:
        soonest = min(soonest, offer.first + _length(offer))
    return max(through, soonest)


def faster_than(offer: Offer, others: Iterable[Offer]) -> list[Offer]:
    """Return those of the others for which it may be better to wait."""
    if offer.is_trial:
        return []
    return [one for one in others if _length(one) * CLOSE < _length(offer)]


def is_worth(offer: Offer, faster: Iterable[Offer], tasks: float) -> bool:
    """Tell whether a task should take a free slot now, with `tasks` queued and the faster places busy."""
    return _length(offer) <= seconds_through(faster, tasks)


def describe(offers: Sequence[Offer], chosen: Offer, tasks: int) -> str:
    """Return, in one bounded line, what there was to choose from when a task left."""
    shown = [chosen, *(offer for offer in offers if offer is not chosen)]
    told = "; ".join(map(_describe, shown[:DESCRIBE_LIMIT]))
    more = f"; and {len(shown) - DESCRIBE_LIMIT} more" if len(shown) > DESCRIBE_LIMIT else ""
    return f"{told}{more}; {tasks} queued"


def _length(offer: Offer) -> float:
    # When nothing has been measured anywhere, all are alike.
    return 1.0 if offer.seconds is None else max(offer.seconds, LEAST_SECONDS)


def _describe(offer: Offer) -> str:
    if offer.first == float("inf"):
        return f"{offer.executor} had no node, and none was in sight"
    start = "free at once" if offer.is_free else f"free in about {in_words(offer.first)}"
    if offer.is_trial:
        return f"{offer.executor} was {start}, and is tried for the first time"
    if offer.seconds is None:
        return f"{offer.executor} was {start}, run time unknown"
    end = in_words(offer.first + offer.seconds)
    return f"{offer.executor} was {start}, takes {in_words(offer.seconds)}, would end in {end}"
