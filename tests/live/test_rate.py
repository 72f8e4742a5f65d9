import pytest

from nbflow.live.rate import Rate


def test_rate_needs_two_moments() -> None:
    rate = Rate()
    assert rate.per_second() is None
    rate.note(0, 0)
    assert rate.per_second() is None
    rate.note(2, 10)
    assert rate.per_second() == 5


def test_rate_moves_with_the_last_seconds() -> None:
    rate = Rate()
    for second in range(100):
        rate.note(second, second if second < 50 else 50 + 10 * (second - 50))
    assert rate.per_second() == pytest.approx(10, rel=0.1)


def test_retry_starts_the_rate_anew() -> None:
    rate = Rate()
    rate.note(0, 0)
    rate.note(1, 10)
    rate.note(2, 9)
    assert rate.per_second() is None


def test_estimate_is_silent_until_enough_has_finished() -> None:
    rate = Rate()
    rate.note(0, 0)
    rate.note(1, 4)
    assert rate.estimate(100) is None


def test_estimate_gets_surer_with_what_has_finished() -> None:
    few, many = Rate(), Rate()
    few.note(0, 0)
    few.note(1, 10)
    many.note(0, 0)
    many.note(10, 1000)
    vague, sure = few.estimate(100), many.estimate(1000)
    assert vague is not None
    assert sure is not None
    assert vague.seconds == sure.seconds == 10
    assert vague.low < sure.low < 10 < sure.high < vague.high
    assert str(sure) == "about 10 s left"


def test_nothing_left_has_no_estimate() -> None:
    rate = Rate()
    rate.note(0, 0)
    rate.note(1, 100)
    assert rate.estimate(0) is None
