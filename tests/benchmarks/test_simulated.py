"""The simulated site goes through the real core and loop, and fills its slots."""

import pytest

import nbflow as nf
from benchmarks.simulated import SLOTS_PER_NODE, SimulatedSite


def same(number: int) -> int:
    return number


@pytest.mark.parametrize("cores", [1, 3, SLOTS_PER_NODE])
def test_more_calls_than_slots_return_their_arguments(cores: int) -> None:
    size = 2 * 3 * SLOTS_PER_NODE
    with nf.load(config=nf.Config(executors=(SimulatedSite(3),))):
        app = nf.python_app(same).options(cores=cores)
        assert nf.gather([app(number) for number in range(size)]) == list(range(size))
