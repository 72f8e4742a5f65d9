import pytest

from nbflow.errors import ConfigError
from nbflow.executors.registry import executor_names, find_executor


@pytest.mark.parametrize("name", ["futures", "processes", "threads"])
def test_built_in_executors_are_found(name: str) -> None:
    assert find_executor(name).__name__.lower() == f"{name}executor"


def test_an_unknown_name_lists_the_known_ones_with_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"futures, pilots, processes, threads\. Did you mean 'threads'\?"):
        find_executor("thread")


def test_names_are_sorted_and_once_each() -> None:
    assert executor_names() == sorted(set(executor_names()))
