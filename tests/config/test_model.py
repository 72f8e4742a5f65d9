from typing import Any

import pytest

from nbflow.config.model import Config, Futures, Named, Pilots, Processes, Threads, as_executors, as_sites
from nbflow.config.wiring import build_executor
from nbflow.errors import ConfigError


def test_names_and_lists_become_descriptions() -> None:
    assert list(as_executors(None, 2)) == [Processes(2)]
    assert list(as_executors(["threads", Processes(3, "p")], 1)) == [Threads(1), Processes(3, "p")]
    assert list(as_executors("cluster", 3)) == [Pilots("cluster", workers_per_node=3)]
    assert list(as_sites(["local", "cluster"], None)) == [Processes(label="local"), Pilots("cluster")]
    assert list(as_executors("pilots", 2)) == [Pilots("local", workers_per_node=2)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Processes(0),
        lambda: Processes(1, threads_per_worker=0),
        lambda: Pilots("local", threads_per_worker=True),
        lambda: Threads(True),
        lambda: Processes(2, "a/b"),
        lambda: Pilots("a", nodes=0),
        lambda: Pilots("a", walltime=float("nan")),
    ],
)
def test_impossible_descriptions_are_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(ConfigError, match="submit"):
        Futures(object())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="give 'processes'"):
        list(as_executors(object(), None))


def test_labels_are_unique_and_something_is_needed() -> None:
    with pytest.raises(ConfigError, match="two executors"):
        Config(executors=(Threads(), Threads()))
    with pytest.raises(ConfigError, match="at least one"):
        Config(executors=())


def test_unknown_names_are_answered_with_known_ones() -> None:
    with pytest.raises(ConfigError, match="processes"):
        build_executor(Named("proceses"))


def test_workers_are_for_descriptions_that_say_nothing() -> None:
    assert list(as_executors([Threads(), Processes(2)], 7)) == [Threads(7), Processes(2)]


def test_a_configuration_takes_names_too() -> None:
    assert Config(executors=["threads"]).executors == (Threads(),)  # type: ignore[arg-type]
    assert Config(executors="processes").executors == (Processes(),)  # type: ignore[arg-type]
    assert Config(executors="cluster").executors == (Pilots("cluster"),)  # type: ignore[arg-type]
    assert Config(executors=(Named("flux", 3),)).executors == (Named("flux", 3),)
    with pytest.raises(ConfigError, match="itself"):
        Config(executors="futures")  # type: ignore[arg-type]
