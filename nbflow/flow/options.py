"""Own the options that users give to apps: checked where they are given, turned into what the core needs."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from nbflow.config.model import as_hold, as_policy
from nbflow.core.ids import ExecutorId
from nbflow.core.task import ONE_CORE, Options, Resources
from nbflow.errors import ConfigError, InvalidResources

__all__ = ["OPTION_NAMES", "change_options", "check_walltime", "ignored"]

OPTION_NAMES = (
    "cores",
    "memory",
    "gpus",
    "nodes",
    "ranks_per_node",
    "walltime",
    "retries",
    "executors",
    "sites",
    "priority",
    "label",
    "strict",
    "cache",
    "ignore",
    "on_failure",
)

_RESOURCES = frozenset(("cores", "memory", "gpus", "nodes", "ranks_per_node"))

_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", re.IGNORECASE)


def change_options(options: Options, given: Mapping[str, Any]) -> Options:
    """Return `options` with what a user gave changed.

    Raises ConfigError for an unknown name, with the nearest known one, and InvalidResources for impossible
    values.
    """
    _check_names(given)
    for name, kind in (("label", str), ("strict", bool)):
        if not isinstance(given.get(name), kind | None):
            raise ConfigError(f"{name}={given[name]!r}: give a {kind.__name__}, or None")
    changes = {field: read(given[name]) for name, (field, read) in _FIELDS.items() if name in given}
    if not given.keys().isdisjoint(("executors", "sites")):
        changes["executors"] = _executors(given)
    if not given.keys().isdisjoint(_RESOURCES):
        changes["resources"] = _resources(options.resources, given)
    return replace(options, **changes) if changes else options


def _check_names(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in OPTION_NAMES:
            near = difflib.get_close_matches(name, OPTION_NAMES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{name!r} is not an option of an app ({', '.join(OPTION_NAMES)}){hint}")


def check_walltime(value: Any) -> float | None:
    """Return a walltime in seconds. Raises ConfigError for anything but a positive finite number or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"walltime={value!r}: give seconds, a number above 0, or None")
    return float(value)


def _resources(known: Resources, given: Mapping[str, Any]) -> Resources:
    resources = Resources(
        cores=_whole("cores", given.get("cores", known.cores), 1),
        memory=_memory(given.get("memory", known.memory)),
        gpus=_whole("gpus", given.get("gpus", known.gpus), 0),
        nodes=_whole("nodes", given.get("nodes", known.nodes), 1),
        ranks_per_node=_whole("ranks_per_node", given.get("ranks_per_node", known.ranks_per_node), 1),
    )
    # One shared object for the usual case: placement tells it by identity.
    return ONE_CORE if resources == ONE_CORE else resources


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidResources(f"{name}={value!r}: give a whole number, {least} or more")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}: give True or False")
    return value


def ignored(value: Any) -> frozenset[str]:
    """Return the names in `ignore=`. Raises ConfigError for anything but names."""
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"ignore={value!r}: give the name of an argument, or a list of names")
    return frozenset(names)


def _memory(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidResources(f"memory={value!r}: give bytes, or a text such as '500 MB' or '2GiB'")
    return int(float(match[1]) * _UNITS[(match[2] or "").lower()])


def _executors(given: Mapping[str, Any]) -> frozenset[ExecutorId]:
    """Return the labels that were named; a site's name is the label of its executor."""
    if "executors" in given and "sites" in given:
        raise ConfigError("give an app executors= or sites=: a site's name is the label of its executor")
    name, value = next((name, given[name]) for name in ("executors", "sites") if name in given)
    if value is None or value == "all":
        return frozenset()
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(one, str) for one in names):
        raise ConfigError(f"{name}={value!r}: give the label of an executor, a list of labels, or 'all'")
    return frozenset(map(ExecutorId, names))


_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "walltime": ("walltime", check_walltime),
    "retries": ("retry", lambda value: None if value is None else as_policy(value)),
    "priority": ("priority", lambda value: _whole("priority", value, -(10**9))),
    "cache": ("memoized", lambda value: None if value is None else _flag("cache", value)),
    "on_failure": ("holds", lambda value: None if value is None else as_hold(value)),
}
"""Which field an option changes, and how its value is read; None is for what the dataflow kernel says."""
