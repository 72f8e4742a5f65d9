from collections import deque

from nbflow.worker.vacancy import STARTS, vacancy_after


def test_each_try_waits_longer_and_keeps_what_waits_for_it() -> None:
    first, second = (vacancy_after(start, deque(), now=0.0) for start in (1, 2))
    assert first is not None
    assert second is not None
    assert (first.start, second.start) == (2, 3)
    assert second.due == 2 * first.due


def test_a_place_is_given_up_after_some_tries() -> None:
    assert vacancy_after(STARTS, deque(), now=10.0) is None
