"""Own the names of executors: those of nbflow, and those that other packages offer as entry points."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from nbflow.errors import ConfigError

__all__ = ["GROUP", "executor_names", "find_executor"]

GROUP: Final = "nbflow.executors"

BUILT_IN: Final = {
    "futures": "nbflow.executors.futures:FuturesExecutor",
    "processes": "nbflow.executors.processes:ProcessesExecutor",
    "threads": "nbflow.executors.threads:ThreadsExecutor",
}
"""Known without a look at what is installed: a checkout works too, and looking takes milliseconds."""


def executor_names() -> list[str]:
    """Return the names of all executors that are there, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find_executor(name: str) -> type[Any]:
    """Return the class of an executor. Raises ConfigError when it is unknown or broken."""
    target = BUILT_IN.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        found: type[Any] = getattr(importlib.import_module(module), attribute)
        return found
    for point in entry_points(group=GROUP, name=name):
        return _load(point)
    known = executor_names()
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ConfigError(f"there is no executor {name!r}; there are: {', '.join(known)}.{hint}")


def _load(point: EntryPoint) -> type[Any]:
    try:
        found: type[Any] = point.load()
    except Exception as error:
        owner = point.dist.name if point.dist else point.value
        raise ConfigError(f"the executor {point.name!r} of {owner} cannot be imported: {error!r}") from error
    return found
