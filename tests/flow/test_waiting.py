"""Waiting for many futures: in any arrangement, from anywhere."""

from typing import Any

import pytest

import nbflow as nf

pytestmark = pytest.mark.usefixtures("kernel")


def test_generators_and_views_of_dicts_are_looked_into() -> None:
    absolute = nf.python_app(abs)
    assert nf.gather(absolute(-number) for number in range(3)) == [0, 1, 2]
    assert nf.gather({"a": absolute(-1)}.values()) == [1]
    assert len(list(nf.as_completed(absolute(-number) for number in range(3)))) == 3
    assert len(nf.wait((absolute(-number) for number in range(3)), timeout=10).done) == 3


@pytest.mark.parametrize("wait", [nf.wait, lambda futures: list(nf.as_completed(futures))])
def test_joins_that_wait_inside_do_not_block_each_other(wait: Any) -> None:
    @nf.join_app
    def inner(number: int) -> Any:
        return nf.python_app(abs)(-number)

    @nf.join_app
    def outer(number: int) -> Any:
        future = inner(number)
        wait([future])
        return future

    assert nf.gather([outer(number) for number in range(6)], timeout=20) == list(range(6))
