"""Own what a user may say about executors and retries. Values only: nothing starts here."""

from __future__ import annotations

import concurrent.futures
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import final

from nbflow.core.retry import RetryPolicy
from nbflow.errors import ConfigError
from nbflow.executors.protocol import Executor
from nbflow.executors.registry import executor_names
from nbflow.sites.model import Site

__all__ = [
    "Config",
    "ExecutorSpec",
    "Futures",
    "Named",
    "Pilots",
    "Processes",
    "Threads",
    "as_executors",
    "as_policy",
]

Retries = int | float | RetryPolicy


def _check(owner: str, label: str, workers: int | None) -> None:
    if not isinstance(label, str) or not label or not label.isprintable() or "/" in label:
        raise ConfigError(f"{owner}(label={label!r}): give a name without a slash")
    if workers is None:
        return
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 10_000:
        raise ConfigError(
            f"{owner}(workers={workers!r}): give a whole number from 1 to 10000, or None for all cores"
        )


def _check_threads(owner: str, threads: int | None) -> None:
    if threads is not None and (type(threads) is not int or not 1 <= threads <= 10_000):
        raise ConfigError(f"{owner}(threads_per_worker={threads!r}): give a whole number from 1 to 10000")


@final
@dataclass(frozen=True, slots=True)
class Processes:
    """Run tasks in worker processes on this machine; `workers` defaults to the cores it may use.

    Each runs `threads_per_worker` tasks at a time: more than one is for tasks that wait, for disks and
    networks.
    """

    workers: int | None = None
    label: str = "processes"
    threads_per_worker: int = 1

    def __post_init__(self) -> None:
        _check("Processes", self.label, self.workers)
        _check_threads("Processes", self.threads_per_worker)


@final
@dataclass(frozen=True, slots=True)
class Threads:
    """Run tasks in threads of this process: for I/O, and for code that lets go of the GIL."""

    workers: int | None = None
    label: str = "threads"

    def __post_init__(self) -> None:
        _check("Threads", self.label, self.workers)


@final
@dataclass(frozen=True, slots=True)
class Futures:
    """Run tasks on any `concurrent.futures.Executor`; `workers` says how many calls it takes at once."""

    pool: concurrent.futures.Executor
    workers: int | None = None
    label: str = "futures"

    def __post_init__(self) -> None:
        _check("Futures", self.label, self.workers)
        if not callable(getattr(self.pool, "submit", None)):
            raise ConfigError(
                f"Futures({self.pool!r}): give an object with a submit method, as ThreadPoolExecutor"
            )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pilots:
    """Run tasks on pilots: worker processes in batch jobs at a site, or on this machine for "local".

    `site` is a name or a Site. What is not given is as the site has it: workers, the threads of each in which
    tasks that only wait run side by side, whatever a block asks for, the numbers of blocks at the start, at
    least and at most. A block that was idle for `idle_seconds` is given back. `address` is that of this
    machine as the site's nodes reach it; a node that says nothing for `silent_seconds` is lost, one without a
    kernel for `orphan_seconds` ends by itself. A kernel that dies or is restarted leaves its pilots to the
    next one of its notebook; with `keep` it does so however it ends.
    """

    site: str | Site = field(default="local", kw_only=False)
    workers_per_node: int | None = None
    threads_per_worker: int | None = None
    nodes: int | None = None
    walltime: float | None = None
    partition: str | None = None
    account: str | None = None
    init_blocks: int | None = None
    min_blocks: int | None = None
    max_blocks: int | None = None
    idle_seconds: float = 120.0
    address: str | None = None
    silent_seconds: float = 30.0
    orphan_seconds: float = 600.0
    keep: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        name = self.site.name if isinstance(self.site, Site) else self.site
        if not self.label:
            object.__setattr__(self, "label", name)
        _check("Pilots", self.label, self.workers_per_node)
        _check_threads("Pilots", self.threads_per_worker)
        for counted, least in (("nodes", 1), ("init_blocks", 0), ("min_blocks", 0), ("max_blocks", 0)):
            count = getattr(self, counted)
            if count is not None and (type(count) is not int or count < least):
                raise ConfigError(f"Pilots({counted}={count!r}): give a whole number, {least} or more")
        for seconds in ("walltime", "idle_seconds", "silent_seconds", "orphan_seconds"):
            amount = getattr(self, seconds)
            if amount is not None and not 0 < amount < math.inf:
                raise ConfigError(f"Pilots({seconds}={amount!r}): give seconds, more than 0")


@final
@dataclass(frozen=True, slots=True)
class Named:
    """Run tasks on an executor that a plug-in provides under `name` (entry points `nbflow.executors`)."""

    name: str
    workers: int | None = None

    @property
    def label(self) -> str:
        """Return the name."""
        return self.name

    def __post_init__(self) -> None:
        _check("executor", self.name, self.workers)


ExecutorSpec = Processes | Threads | Futures | Pilots | Named | Executor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Say where tasks run and how failures are retried unless an app says otherwise.

    `executors` are in the order of preference. `retries` is a count or a RetryPolicy. `cache` remembers
    results of apps that say nothing about it. `on_failure` says what tasks do that wait for one that failed:
    they 'fail' as well, or 'hold' until it is retried or they are released.
    """

    executors: tuple[ExecutorSpec, ...] = field(default_factory=lambda: (Processes(),))
    retries: Retries = 0
    cache: bool = False
    on_failure: str = "fail"

    def __post_init__(self) -> None:
        object.__setattr__(self, "executors", tuple(as_executors(self.executors, None)))
        if not self.executors:
            raise ConfigError("Config(executors=()): give at least one executor")
        labels = [executor.label for executor in self.executors]
        for label in labels:
            if labels.count(label) > 1:
                raise ConfigError(f"two executors are called {label!r}; give each its own label=")
        as_policy(self.retries)
        as_hold(self.on_failure)


def as_hold(on_failure: object) -> bool:
    """Tell whether `on_failure` means to hold. Raises ConfigError for anything but 'fail' and 'hold'."""
    if on_failure not in ("fail", "hold"):
        raise ConfigError(f"on_failure={on_failure!r}: give 'fail' or 'hold'")
    return on_failure == "hold"


def as_policy(retries: Retries) -> RetryPolicy:
    """Return what a count of retries stands for. Raises ConfigError for anything else."""
    if isinstance(retries, RetryPolicy):
        return retries
    try:
        return RetryPolicy(count=retries)
    except ValueError as error:
        raise ConfigError(f"retries={retries!r}: give a count that is 0 or more, or a RetryPolicy") from error


def as_sites(given: object, workers: int | None) -> Iterable[ExecutorSpec]:
    """Return the executors at the sites that a user named; this machine needs no pilots."""
    if isinstance(given, list | tuple):
        return [spec for one in given for spec in as_sites(one, workers)]
    match given:
        case "local":
            return [Processes(workers, label="local")]
        case str() | Site():
            return [Pilots(given, workers_per_node=workers)]
        case _:
            return as_executors(given, workers)


def _named(name: str, workers: int | None) -> ExecutorSpec:
    """Return what a name stands for: an executor, or else a site."""
    if name == "pilots":
        return Pilots("local", workers_per_node=workers)
    if name in executor_names():
        return Named(name, workers)
    return Pilots(name, workers_per_node=workers)


def as_executors(given: object, workers: int | None) -> Iterable[ExecutorSpec]:
    """Return the executors that a user named: a name, a description, an executor, or several of these."""
    if isinstance(given, list | tuple):
        return [spec for one in given for spec in as_executors(one, workers)]
    match given:
        case None | "processes":
            return [Processes(workers)]
        case "threads":
            return [Threads(workers)]
        case Pilots():
            return [given]
        case Processes() | Threads() | Futures() | Named():
            return [replace(given, workers=workers) if given.workers is None else given]
        case "futures":
            raise ConfigError("executors='futures': give the concurrent.futures executor itself")
        case str():
            return [_named(given, workers)]
        case concurrent.futures.Executor():
            return [Futures(given, workers)]
        case _ if callable(getattr(given, "send", None)) and callable(getattr(given, "start", None)):
            return [given]  # type: ignore[list-item]
        case _:
            raise ConfigError(
                f"executors={given!r}: give 'processes', 'threads', nbflow.Processes(workers=4), a "
                "concurrent.futures executor, or a list of these"
            )
