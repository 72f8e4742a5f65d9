"""Own the start of a dataflow kernel for this process: `nbflow.load()`."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from nbflow.config.model import Config, Retries, as_executors, as_hold, as_policy, as_sites
from nbflow.config.wiring import build_executor
from nbflow.control.places import control_path
from nbflow.core.states import State
from nbflow.errors import ConfigError, ControlError, JournalError
from nbflow.executors.threads import ThreadsExecutor
from nbflow.flow import current
from nbflow.flow.admission import Defaults
from nbflow.flow.cells import follow_cells
from nbflow.flow.futures.cards import card
from nbflow.flow.internal import LOCAL
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.lineage import this_lineage
from nbflow.flow.steering.control import Control
from nbflow.journal.places import new_run_id, runs_dir
from nbflow.journal.writer import Journal

__all__ = ["Loaded", "load"]

log = logging.getLogger("nbflow")

LOCAL_THREADS = 4

_loaded_with: tuple[DataFlowKernel, Config, str | os.PathLike[str] | None] | None = None


@final
class Loaded:
    """Show what is loaded; as a context manager, wait for all work and end it.

    `with nbflow.load():` waits for every task at the end of the block; an exception cancels them instead.
    """

    def __init__(self, kernel: DataFlowKernel, config: Config) -> None:
        self._kernel = kernel
        self._config = config

    @property
    def run_id(self) -> str:
        """Return the name of the run, as `nbflow ps` lists it."""
        return self._kernel.run_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if kind is None:
            self._kernel.wait()
        if current.is_loaded() and current.current() is self._kernel:
            current.clear()
        else:
            self._kernel.close()

    def __repr__(self) -> str:
        past = self._kernel.binding.past
        known = f", with {len(past)} results of run {past.runs[0]}" if past else ""
        more = " and before" if len(past.runs) > 1 else ""
        return f"nbflow run {self.run_id}: {self._kernel.describe_executors()}{known}{more}"

    def _repr_html_(self) -> str:
        known = self._kernel.known_tasks() if self._kernel.is_open else ()
        counts = Counter(task.state for task in known)
        tasks = ", ".join(
            f"{counts[state]:,} {state.name.lower().replace('_', ' ')}" for state in State if counts[state]
        )
        return card(repr(self), [("not done", tasks), ("journal", str(self._kernel.journal.address))])


def load(
    executors: Any = None,
    *,
    sites: Any = None,
    workers: int | None = None,
    retries: Retries | None = None,
    cache: bool | None = None,
    on_failure: str | None = None,
    config: Config | None = None,
    resume: str | os.PathLike[str] | None = None,
    fresh: bool = False,
) -> Loaded:
    """Get a dataflow kernel ready for this process's apps; by default worker processes on this machine.

    `executors` is 'processes', 'threads', the name of a site, a description such as `Processes(workers=4)`
    or `Pilots("mycluster", max_blocks=4)`, any concurrent.futures executor, or a list of these in the order
    of preference; `workers` is for those that say nothing. `sites` is the same for names of sites, of which
    'local' stands for worker processes on this machine. `NBFLOW_EXECUTOR` and `NBFLOW_WORKERS` stand in for
    what is not given. `retries` is a count or a RetryPolicy for apps that say nothing; `cache` remembers the
    results of those that say nothing. With `on_failure='hold'` what waits for a task that failed is held
    until that is retried, or `nbflow.release()` gives it up.

    In a notebook, calls that an earlier Jupyter kernel finished are bound to their results instead of being
    run; `fresh=True` runs all anew. `resume` names other results to go on from: 'last' (the last run of this
    notebook or script, if there is one), a run as `nbflow ps` lists it, its folder, or an exported file.
    Raises ResultsError when it names none, or results of somebody else.

    Calling it again goes on with what is loaded. With another configuration it replaces what is loaded,
    unless tasks are unfinished there: then it raises ConfigError.
    """
    global _loaded_with
    if sites is not None:
        if executors is not None or config is not None:
            raise ConfigError("load(sites=...) takes no executors and no config beside it")
        executors = list(as_sites(sites, workers))
    if resume is not None and fresh:
        raise ConfigError("load(resume=..., fresh=True): give one of them")
    asked = _config(executors, workers, retries, cache, on_failure, config)
    if current.is_loaded() and _loaded_with is not None and _loaded_with[0] is current.current():
        kernel, known, resumed = _loaded_with
        if resume in (None, resumed) and (asked is None or asked == known):
            if fresh:
                kernel.begin_anew()
            return Loaded(kernel, known)
        left = len(kernel.unfinished())
        if left:
            raise ConfigError(
                f"a dataflow kernel with another configuration or past has {left} unfinished tasks; wait for "
                "them, or end it with nbflow.clear()"
            )
        asked = asked or known
    wanted = asked or _described()
    kernel = _start(wanted, resume, is_fresh=fresh)
    current.use(kernel)
    follow_cells()
    _loaded_with = kernel, wanted, resume
    return Loaded(kernel, wanted)


def _config(
    executors: Any,
    workers: int | None,
    retries: Retries | None,
    cache: bool | None,  # noqa: FBT001 - as load takes it
    on_failure: str | None,
    config: Config | None,
) -> Config | None:
    is_described = any(one is not None for one in (executors, workers, retries, cache, on_failure))
    if config is not None:
        if not isinstance(config, Config) or is_described:
            raise ConfigError("load(config=...) takes an nbflow.Config, and nothing beside it")
        return config
    if not is_described:
        return None
    described = _described(executors, workers, retries)
    return replace(described, cache=bool(cache), on_failure="fail" if on_failure is None else on_failure)


def _described(executors: Any = None, workers: int | None = None, retries: Retries | None = None) -> Config:
    """Return the configuration that is meant; the environment stands in for what is not given."""
    if executors is None:
        executors = os.environ.get("NBFLOW_EXECUTOR")
    if workers is None:
        workers = _workers_from_environment()
    return Config(
        executors=tuple(as_executors(executors, workers)), retries=0 if retries is None else retries
    )


def _workers_from_environment() -> int | None:
    text = os.environ.get("NBFLOW_WORKERS")
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"NBFLOW_WORKERS={text!r}: give a whole number") from None


def _start(config: Config, resume: str | os.PathLike[str] | None, *, is_fresh: bool) -> DataFlowKernel:
    lineage = this_lineage(resume, is_fresh=is_fresh)
    built = [build_executor(spec) for spec in config.executors]
    run = new_run_id()
    door = _door(run)
    info = {"argv": sys.argv[:1], "executors": [executor.label for executor in built], "control": door}
    journal = Journal.create(run, info=info, on_trouble=_tell)
    try:
        local = ThreadsExecutor(LOCAL, LOCAL_THREADS)
        kernel = DataFlowKernel(
            journal,
            runs_dir() / run,
            built,
            local,
            Defaults(
                retry=as_policy(config.retries),
                is_memoized=config.cache,
                holds=as_hold(config.on_failure),
            ),
            lineage=lineage,
        )
    except BaseException:
        journal.close("failed to start")
        raise
    if is_fresh:
        kernel.begin_anew()
    if door is not None:
        _open(kernel, door)
    return kernel


def _door(run: str) -> Path | None:
    """Return where the control socket of a run will be; a run without one goes on all the same."""
    try:
        return control_path(run)
    except ControlError as error:
        log.warning("nbflow: %s", error)
        return None


def _open(kernel: DataFlowKernel, door: Path) -> None:
    try:
        kernel.accompany(Control(kernel, door).close)
    except OSError as error:
        log.warning("nbflow: no control socket at %s: %s", door, error)


def _tell(trouble: JournalError) -> None:
    log.warning("nbflow: %s", trouble)
