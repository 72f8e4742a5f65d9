"""Random graphs with joins, failures, cancels, pauses, retries, in a world that loses, repeats and reorders.

What has to hold is asserted in `simulation`; a failure names its seed, and the seed decides everything.
"""

import pytest

from .simulation import Simulation


@pytest.mark.parametrize("trouble", [0.0, 0.5, 1.0], ids=["calm", "rough", "wild"])
@pytest.mark.parametrize("seed", range(60))
def test_random_graph(seed: int, trouble: float) -> None:
    simulation = Simulation(seed, trouble=trouble)
    try:
        for _ in range(25):
            simulation.submit()
            for _ in range(simulation.random.randint(0, 6)):
                simulation.advance()
            if simulation.random.random() < 0.8 * trouble:
                simulation.act()
        simulation.settle()
    except AssertionError as error:
        error.add_note(f"seed {seed}, trouble {trouble}")
        raise


def test_retries_are_undone_in_these_graphs() -> None:
    undone = 0
    for seed in range(10):
        simulation = Simulation(seed, trouble=1.0)
        for _ in range(25):
            simulation.submit()
            simulation.advance()
            simulation.act()
        undone += simulation.undone
    assert undone > 10


def test_tasks_are_sent_ahead_in_these_graphs() -> None:
    followed = 0
    for seed in range(10):
        simulation = Simulation(seed, trouble=0.0)
        for _ in range(25):
            simulation.submit()
        simulation.settle()
        followed += simulation.followed
    assert followed > 10
