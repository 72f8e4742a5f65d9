"""Own the names of executors: those of nbflow, and those that other packages offer as entry points."""

from __future__ import annotations

from typing import Any, Final

from nbflow.registry import Registry

__all__ = ["executor_names", "find_executor"]

EXECUTORS: Final = Registry(
    kind="executor",
    group="nbflow.executors",
    built_in={
        "futures": "nbflow.executors.futures:FuturesExecutor",
        "pilots": "nbflow.executors.pilots.executor:PilotsExecutor",
        "processes": "nbflow.executors.processes:ProcessesExecutor",
        "threads": "nbflow.executors.threads:ThreadsExecutor",
    },
)


def executor_names() -> list[str]:
    """Return the names of all executors that are there, sorted."""
    return EXECUTORS.names()


def find_executor(name: str) -> type[Any]:
    """Return the class of an executor. Raises ConfigError when it is unknown or broken."""
    found: type[Any] = EXECUTORS.find(name)
    return found
