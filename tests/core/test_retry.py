"""Whether another try follows a failed one, what it costs, and how soon it comes."""

import math

import pytest

from nbflow.core.retry import POISON_LOSSES, Decision, RetryPolicy, Verdict, decide
from nbflow.core.states import Cause

BOOM = ValueError("boom")


def ask(
    policy: RetryPolicy,
    cause: Cause = Cause.RAISED,
    *,
    error: BaseException = BOOM,
    spent: float = 0.0,
    losses: int = 0,
    alone: bool = True,
    verdict: Verdict | None = None,
) -> tuple[float, float] | None:
    return decide(policy, cause=cause, error=error, spent=spent, losses=losses, alone=alone, verdict=verdict)


def test_without_retries_a_failure_is_final() -> None:
    assert ask(RetryPolicy()) is None


def test_a_count_is_spent_one_by_one() -> None:
    policy = RetryPolicy(count=2)
    assert [ask(policy, spent=spent) for spent in (0, 1, 2)] == [(1.0, 0.0), (1.0, 0.0), None]


@pytest.mark.parametrize("cause", [Cause.EXPIRED, Cause.RECALLED])
def test_what_is_not_the_tasks_fault_costs_nothing(cause: Cause) -> None:
    assert ask(RetryPolicy(), cause) == (0.0, 0.0)


@pytest.mark.parametrize("cause", [Cause.LOST, Cause.OOM])
def test_a_death_in_company_costs_nothing_and_one_alone_is_charged(cause: Cause) -> None:
    assert ask(RetryPolicy(), cause, alone=False) == (0.0, 0.0)
    assert ask(RetryPolicy(), cause, losses=1) is None
    assert ask(RetryPolicy(count=1), cause, losses=1) == (1.0, 0.0)


@pytest.mark.parametrize("cause", [Cause.LOST, Cause.OOM])
def test_a_poison_task_is_given_up_however_many_retries_are_left(cause: Cause) -> None:
    policy = RetryPolicy(count=100)
    assert ask(policy, cause, losses=POISON_LOSSES - 1) is not None
    assert ask(policy, cause, losses=POISON_LOSSES) is None
    assert ask(policy, cause, losses=POISON_LOSSES, verdict=Decision.RETRY) is None


def test_waits_grow_and_end_at_the_longest() -> None:
    policy = RetryPolicy(count=9, delay=1, backoff=3, longest=20)
    assert [policy.wait_before(retry) for retry in (1, 2, 3, 4, 10**6)] == [1, 3, 9, 20, 20]


def test_the_steepest_back_off_does_not_overflow() -> None:
    assert RetryPolicy(delay=1e100, backoff=1000).wait_before(10**9) == 300.0


def test_only_the_named_types_are_retried() -> None:
    policy = RetryPolicy(count=1, on=(OSError,))
    assert ask(policy) is None
    assert ask(policy, error=FileNotFoundError()) == (1.0, 0.0)


def test_a_type_may_have_a_count_of_its_own() -> None:
    policy = RetryPolicy(count=1, per_type={KeyError: 0, LookupError: 3})
    assert policy.count_for(KeyError()) == 0
    assert policy.count_for(IndexError()) == 3
    assert policy.count_for(BOOM) == 1
    assert policy.count_for(KeyboardInterrupt()) == 0


def test_a_handler_may_charge_more_less_or_decide() -> None:
    policy = RetryPolicy(count=1)
    assert ask(policy, verdict=0.5, spent=0.5) == (0.5, 0.0)
    assert ask(policy, verdict=0.5, spent=0.75) is None
    assert ask(policy, verdict=Decision.RETRY, spent=1) == (0.0, 0.0)
    assert ask(policy, verdict=Decision.FAIL) is None


def test_a_cost_that_is_no_number_fails_the_task() -> None:
    assert ask(RetryPolicy(count=1), verdict=math.nan) is None


def test_judging_is_the_handlers_word() -> None:
    assert RetryPolicy().judge(BOOM, None) == 1.0
    assert RetryPolicy(handler=lambda error, task: 0.25).judge(BOOM, None) == 0.25
    assert RetryPolicy(handler=lambda error, task: Decision.RETRY).judge(BOOM, None) is Decision.RETRY


def test_a_handler_that_raises_or_says_nonsense_gives_up_and_says_why() -> None:
    def broken(error: BaseException, task: object) -> float:
        raise LookupError("no such rule")

    raised, odd = ValueError(), ValueError()
    assert RetryPolicy(handler=broken).judge(raised, None) is Decision.FAIL
    assert RetryPolicy(handler=lambda error, task: "maybe").judge(odd, None) is Decision.FAIL
    assert "LookupError: no such rule" in raised.__notes__[0]
    assert "returned str" in odd.__notes__[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": -1},
        {"count": math.nan},
        {"count": "3"},
        {"count": True},
        {"delay": -0.1},
        {"longest": None},
        {"backoff": 0.5},
        {"backoff": 1e6},
        {"backoff": math.nan},
    ],
)
def test_a_policy_that_cannot_be_right_is_refused_by_name(wrong: dict[str, object]) -> None:
    [name] = wrong
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**wrong)


def test_a_policy_is_a_value() -> None:
    assert RetryPolicy(count=1) == RetryPolicy(count=1)
    assert hash(RetryPolicy(count=1, per_type={KeyError: 2})) == hash(RetryPolicy(count=1))
