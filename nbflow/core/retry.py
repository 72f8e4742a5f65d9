"""Own the decision whether a failed try is followed by another, and how soon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

from nbflow.core.states import DEATHS, Cause

__all__ = ["NO_RETRY", "POISON_LOSSES", "Decision", "RetryPolicy", "Verdict", "decide", "is_free"]

POISON_LOSSES = 3
"""A task that was alone in this many workers when they died is not given a further one."""

FREE = frozenset({Cause.EXPIRED, Cause.RECALLED})


@final
class Decision(Enum):
    """Name what a user's retry handler may say instead of a cost."""

    RETRY = "retry"
    """Try again and charge nothing."""
    FAIL = "fail"
    """Give up now."""


Verdict = float | Decision
"""The cost of a failure (1.0 is an ordinary retry), or a decision."""


@final
@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Say how often and how soon a failed task is tried again.

    `count` is what all failures of one task may cost together; an ordinary failure costs 1. The wait before
    the n-th retry is `delay * backoff ** (n - 1)` seconds, at most `longest`. `on` are the exception types
    worth a retry. `per_type` gives an exception type a count of its own (0: never). `handler(error, task)` is
    the user's own rule: it returns a cost or a `Decision`, and runs in the user's process outside the loop.
    """

    count: float = 0
    delay: float = 0.0
    backoff: float = 2.0
    longest: float = 300.0
    on: tuple[type[BaseException], ...] = (Exception,)
    per_type: Mapping[type[BaseException], int] = field(default_factory=dict, hash=False)
    handler: Callable[[BaseException, Any], Verdict] | None = None

    def __post_init__(self) -> None:
        for name in ("count", "delay", "longest"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ValueError(f"RetryPolicy({name}={value!r}): give a number that is 0 or more")
        if not 1 <= self.backoff <= 1000:
            raise ValueError(f"RetryPolicy(backoff={self.backoff!r}): give a number from 1 to 1000")

    def count_for(self, error: BaseException) -> float:
        """Return what failures like `error` may cost; the first matching type of `per_type` wins."""
        for kind, count in self.per_type.items():
            if isinstance(error, kind):
                return count
        return self.count if isinstance(error, self.on) else 0

    def judge(self, error: BaseException, task: Any) -> Verdict:
        """Return what the user's handler says; one that raises or says something else means to give up."""
        if self.handler is None:
            return 1.0
        try:
            verdict: object = self.handler(error, task)
        except Exception as trouble:  # noqa: BLE001 -- the outcome is a verdict
            error.add_note(f"the retry handler raised {type(trouble).__name__}: {trouble}")
            return Decision.FAIL
        if isinstance(verdict, Decision | int | float):
            return verdict
        error.add_note(f"the retry handler returned {type(verdict).__name__}, not a cost or a Decision")
        return Decision.FAIL

    def wait_before(self, retry: int) -> float:
        """Return the seconds to wait before the n-th retry (n counts from 1)."""
        if not self.delay:
            return 0.0
        return min(self.longest, self.delay * self.backoff ** min(retry - 1, 64))


NO_RETRY = RetryPolicy()


def is_free(cause: Cause, *, alone: bool) -> bool:
    """Tell whether a try ended through no fault of its own, as far as can be known: it costs nothing."""
    return cause in FREE or (cause in DEATHS and not alone)


def decide(
    policy: RetryPolicy,
    *,
    cause: Cause,
    error: BaseException,
    spent: float,
    losses: int,
    alone: bool,
    verdict: Verdict | None = None,
) -> tuple[float, float] | None:
    """Return (cost, seconds to wait) of another try, or None when the task has failed.

    A try that ended through no fault of its own costs nothing; so does one lost together with others (it is
    sent alone next).
    """
    if is_free(cause, alone=alone):
        return 0.0, 0.0
    if cause in DEATHS and losses >= POISON_LOSSES:
        return None
    if verdict is Decision.FAIL:
        return None
    cost = 0.0 if verdict is Decision.RETRY else 1.0 if verdict is None else float(verdict)
    # `not <=`, so that a handler's NaN fails the task instead of retrying it for ever.
    if verdict is not Decision.RETRY and not spent + cost <= policy.count_for(error):
        return None
    return cost, policy.wait_before(int(spent) + 1)
