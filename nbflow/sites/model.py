"""Own what a site is: values only. Where they come from is for `reader` and `catalogue`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

__all__ = [
    "LOCAL",
    "Authentication",
    "BlockLimits",
    "BlockShape",
    "LauncherName",
    "Login",
    "NodeShape",
    "Partition",
    "Scheduler",
    "Site",
]


@final
class Scheduler(StrEnum):
    """Name the batch system that a site's jobs go to; `local` starts them as processes."""

    LOCAL = "local"
    SLURM = "slurm"
    PBS = "pbs"
    GRIDENGINE = "gridengine"
    LSF = "lsf"
    HTCONDOR = "htcondor"


@final
class LauncherName(StrEnum):
    """Name what starts a command on every node of a job; `mpiexec` is that of MPICH and its kin."""

    SINGLE = "single"
    SRUN = "srun"
    MPIEXEC = "mpiexec"
    OPENMPI = "openmpi"


@final
class Authentication(StrEnum):
    """Say what a login takes: `key` never needs a person, `interactive` may ask for passwords and codes."""

    KEY = "key"
    INTERACTIVE = "interactive"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Say which host to log in to. What is None is for the user's SSH configuration to say.

    `host` may be an alias of that configuration. `jump` is as OpenSSH's ProxyJump: `user@host:port`, several
    separated by commas. `ssh_config` is read in place of `~/.ssh/config`.
    """

    host: str
    user: str | None = None
    port: int | None = None
    jump: str | None = None
    ssh_config: str | None = None
    authentication: Authentication = Authentication.KEY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape:
    """Say what one node has; what is None is not known."""

    cores: int | None = None
    memory_nbytes: int | None = None
    gpus: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Describe one partition (queue) of a batch system; no limit is None."""

    name: str
    max_nodes: int | None = None
    max_walltime_seconds: float | None = None
    node: NodeShape = NodeShape()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockShape:
    """Say what one block asks for, and how many workers each of its nodes gets.

    `workers_per_node` None means one for each core; cores and memory None leave it to the batch system.
    """

    nodes: int = 1
    workers_per_node: int | None = None
    threads_per_worker: int = 1
    cores_per_node: int | None = None
    memory_nbytes: int | None = None
    gpus_per_node: int = 0
    walltime_seconds: float = 1800.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLimits:
    """Say how many blocks there are at the start, at least and at most."""

    init_blocks: int = 0
    min_blocks: int = 0
    max_blocks: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Describe a named place where work can run. `login` None means this machine.

    `working_directory` and `python` are as the other side knows them: `~` and `$NAME` are for it to expand.
    `setup` are shell lines that run before anything else in a job; `directives` are options that a job script
    gives the batch system as they are. `is_untested` entries come from documentation, never from a run.
    """

    name: str
    title: str = ""
    scheduler: Scheduler = Scheduler.LOCAL
    login: Login | None = None
    working_directory: str = "~/.nbflow"
    python: str = "python3"
    launcher: LauncherName = LauncherName.SINGLE
    setup: tuple[str, ...] = ()
    account: str | None = None
    directives: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    partition: str | None = None
    partitions: tuple[Partition, ...] = ()
    block: BlockShape = BlockShape()
    limits: BlockLimits = BlockLimits()
    notes: str = ""
    source: str = ""
    is_untested: bool = False

    @property
    def has_this_python(self) -> bool:
        """Tell whether commands and jobs there run the Python of this process: no other was named."""
        return self.login is None and not self.setup and self.python in ("python3", sys.executable)

    def find_partition(self, name: str | None = None) -> Partition | None:
        """Return the partition called `name`, by default the site's own; None where none is described."""
        wanted = name or self.partition
        return next((one for one in self.partitions if one.name == wanted), None)


LOCAL = Site(name="local", title="this machine", python=sys.executable)
