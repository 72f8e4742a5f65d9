"""Hand-written chains wait for all parents and pass errors on."""

from concurrent.futures import Future

import pytest

from benchmarks.chaining import chained


def submit_at_once(function, *arguments):
    future = Future()
    try:
        future.set_result(function(*arguments))
    except ValueError as error:
        future.set_exception(error)
    return future


def test_calls_once_the_last_parent_is_done():
    first, second = Future(), Future()
    total = chained(submit_at_once, lambda *numbers: sum(numbers))(first, 10, second)
    first.set_result(1)
    assert not total.done()
    second.set_result(2)
    assert total.result() == 13


def test_the_error_of_a_parent_is_the_outcome():
    parent = Future()
    child = chained(submit_at_once, int)(parent)
    parent.set_exception(KeyError("lost"))
    with pytest.raises(KeyError, match="lost"):
        child.result()


def test_the_error_of_the_call_is_the_outcome():
    parent = Future()
    child = chained(submit_at_once, int)(parent)
    parent.set_result("no number")
    with pytest.raises(ValueError, match="no number"):
        child.result()
