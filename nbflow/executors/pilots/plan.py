"""Own what pilots at one site are made of: the site, the shape of a block, and the job that asks for one."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, final

from nbflow.core.scaling import Limits, Shape
from nbflow.core.task import Resources
from nbflow.executors.pilots.agent import ENGINE_FILE
from nbflow.executors.pilots.lanes import Patience
from nbflow.providers.job import JobSpec
from nbflow.sites.model import LauncherName, Scheduler, Site
from nbflow.sites.opening import interpreter
from nbflow.sites.session import Session
from nbflow.sites.setup import in_setup
from nbflow.worker.cores import available_cores
from nbflow.worker.facts import BLOCK

__all__ = ["LOOPBACK", "Plan"]

PACKAGES: Final = str(Path(__file__).parents[3])
LOOPBACK: Final = "127.0.0.1"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what pilots at a site are made of.

    `address` is that of this machine as the site's nodes reach it, or of the login node for a site behind one
    (`auto` for what its own name resolves to). A block that is idle for `idle_seconds` is
    given back. `keeps_pilots` leaves them to the next kernel however this one ends.
    """

    site: Site
    address: str = LOOPBACK
    idle_seconds: float = 120.0
    poll_seconds: float = 1.0
    keeps_pilots: bool = False
    patience: Patience = field(default_factory=Patience)

    def on(self, session: Session) -> Plan:
        """Return the plan with the Python that is meant by `~` or a variable at the site."""
        return replace(self, site=replace(self.site, python=interpreter(self.site, session)))

    @property
    def is_here(self) -> bool:
        """Tell whether the site is this machine, or shares its files."""
        return self.site.login is None

    @property
    def workers(self) -> int:
        """Return how many workers each node gets."""
        block = self.site.block
        if block.workers_per_node is not None:
            return block.workers_per_node
        if block.cores_per_node is not None:
            return block.cores_per_node
        partition = self.site.find_partition()
        cores = partition.node.cores if partition is not None else None
        return cores or (available_cores() if self.site.scheduler is Scheduler.LOCAL else 1)

    @property
    def launcher(self) -> LauncherName:
        """Return what starts a command on several nodes: the site's, and where it names none Slurm's own."""
        site = self.site
        if site.launcher is LauncherName.SINGLE and site.scheduler is Scheduler.SLURM:
            return LauncherName.SRUN
        return site.launcher

    @property
    def limits(self) -> Limits:
        """Return how many blocks there may be."""
        given = self.site.limits
        return Limits(given.init_blocks, given.min_blocks, given.max_blocks, self.idle_seconds)

    @property
    def shape(self) -> Shape:
        """Return what one block offers."""
        block = self.site.block
        slots = self.workers * block.threads_per_worker
        memory = block.memory_nbytes if block.memory_nbytes is not None else 1 << 62
        total = Resources(max(slots, block.cores_per_node or 0), memory, block.gpus_per_node)
        seconds = block.walltime_seconds
        return Shape(block.nodes, slots, total, None if seconds == math.inf else seconds)

    @property
    def python(self) -> str:
        """Return the interpreter that engines run: this one, unless the site says otherwise."""
        return sys.executable if self.site.has_this_python else self.site.python

    def module(self, name: str, *words: str) -> tuple[str, ...]:
        """Return the argv that runs a module at the site, from where this process has it if it is there."""
        argv = (self.python, "-m", name, *words)
        if self.site.has_this_python:
            argv = ("env", f"PYTHONPATH={_import_path()}", *argv)
        return (*self.before_commands, *argv)

    @property
    def before_commands(self) -> tuple[str, ...]:
        """Return the words that give a command the environment of the site's jobs, where that differs."""
        return () if self.is_here and not self.site.setup else in_setup(self.site)

    def job(self, name: str, directory: str) -> JobSpec:
        """Return the job of one block, whose engines find the controller through files in `directory`."""
        site, block = self.site, self.site.block
        environment = {**site.environment, BLOCK: name, "IPYTHONDIR": directory}
        if self.site.has_this_python:
            environment["PYTHONPATH"] = _import_path()
        return JobSpec(
            name=name,
            command=(self.python, "-m", "ipyparallel.engine", f"--file={directory}/{ENGINE_FILE}"),
            launcher=self.launcher if block.nodes > 1 else site.launcher,
            nodes=block.nodes,
            cores_per_node=block.cores_per_node or self.workers,
            memory_nbytes=block.memory_nbytes,
            gpus_per_node=block.gpus_per_node,
            walltime_seconds=None if block.walltime_seconds == math.inf else int(block.walltime_seconds),
            partition=site.partition or "",
            account=site.account or "",
            setup=site.setup,
            environment=environment,
            directives=site.directives,
            stdout=f"{directory}/{name}.log",
        )


def _import_path() -> str:
    """Return where a process of this machine finds the nbflow that runs here, before what it finds itself."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys((PACKAGES, *filter(None, given))))
