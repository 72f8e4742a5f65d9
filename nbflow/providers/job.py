"""Own what a job is: what is asked for, where it stands, how it ended. Knows no batch system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, NewType, final

from nbflow.errors import ConfigError

__all__ = ["EndCause", "JobId", "JobSpec", "JobState", "JobStatus", "job_name"]

JobId = NewType("JobId", str)
"""What the batch system calls a job."""


@final
class JobState(IntEnum):
    """Say where a job stands. The order is the order of a job's life."""

    UNKNOWN = 0
    """Nothing that can be trusted was heard yet."""
    PENDING = 1
    ACTIVE = 2
    ENDED = 3


@final
class EndCause(StrEnum):
    """Name why a job ended."""

    COMPLETED = "completed"
    """Its command ended with exit code 0."""
    FAILED = "failed"
    """Its command ended otherwise, or could not be started."""
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    """Its walltime ended."""
    NODE_FAIL = "node failure"
    OUT_OF_MEMORY = "out of memory"
    PREEMPTED = "preempted"
    """Another job took its place."""
    UNKNOWN = "unknown"
    """The batch system knows the job no longer, and did not say why."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """Say what is known of a job; `word` and `reason` are the batch system's own, as it wrote them.

    `exit_code` and `signal` (of the job's command) and `cause` are for ended jobs. Times are in seconds since
    the epoch, by the batch system's clock; `expected_at` is when it means to start a pending one.
    """

    state: JobState = JobState.UNKNOWN
    cause: EndCause | None = None
    word: str = ""
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    nodes: tuple[str, ...] = ()
    expected_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None


NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
"""Grid Engine wants a letter first; nothing here means something to a shell or a batch system."""

WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@+=-]*")
PATH: Final = re.compile(r"/[A-Za-z0-9_./@+=-]*")
"""Batch systems read `%`, `$`, `:`, `,` and blanks in paths each in its own way: those are refused."""

VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DIRECTIVE: Final = re.compile(r"\s*#(\$|SBATCH|PBS|BSUB)")


def job_name(prefix: str, nonce: str) -> str:
    """Return a name for one job alone, by which it is found again when its id was lost on the way.

    Ten characters of nonce and three of prefix stay under the 15 that older PBS allows.
    """
    return f"{prefix}-{nonce}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """Say what one job runs and needs. Raises ConfigError for what no batch system could take.

    `command` is an argv; it, `environment` and `directory` arrive byte for byte. `setup` are lines of bash
    that run before it, `directives` options for the batch system as its own command takes them
    (`--qos=high`), one each: both are used as they are. `memory_nbytes`, `cores_per_node` and
    `gpus_per_node` are for each node. Output goes nowhere unless `stdout` says a path; without `stderr` both
    go there. `may_exist` tells that a job of this name may have been asked for before.
    """

    name: str
    command: tuple[str, ...]
    launcher: str = "single"
    nodes: int = 1
    processes_per_node: int = 1
    cores_per_node: int | None = None
    memory_nbytes: int | None = None
    gpus_per_node: int = 0
    walltime_seconds: int | None = None
    partition: str = ""
    account: str = ""
    reservation: str = ""
    directory: str = ""
    setup: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directives: tuple[str, ...] = ()
    stdout: str = "/dev/null"
    stderr: str = ""
    may_exist: bool = False

    def __post_init__(self) -> None:
        _must_match(NAME, "name", self.name, "a letter, then up to 62 letters, digits, '_', '.' or '-'")
        self._check_amounts()
        for field_name in ("partition", "account", "reservation"):
            if value := getattr(self, field_name):
                _must_match(WORD, field_name, value, "letters, digits and any of _ . / @ + = -")
        for field_name in ("stdout", "stderr"):
            if value := getattr(self, field_name):
                _must_match(
                    PATH, field_name, value, "an absolute path of letters, digits and any of _ . / @ + = -"
                )
        self._check_texts()
        self._check_lines()

    def _check_amounts(self) -> None:
        for name, least in (
            ("nodes", 1),
            ("processes_per_node", 1),
            ("cores_per_node", 1),
            ("memory_nbytes", 1),
            ("gpus_per_node", 0),
            ("walltime_seconds", 1),
        ):
            amount = getattr(self, name)
            if amount is not None and (type(amount) is not int or amount < least):
                raise ConfigError(f"a job's {name} is {amount!r}; it must be a whole number, {least} or more")

    def _check_texts(self) -> None:
        if not self.command or not self.command[0]:
            raise ConfigError("a job's command is empty; it must name a program")
        for number, word in enumerate(self.command):
            _must_travel(f"command[{number}]", word)
        if self.directory:
            _must_travel("directory", self.directory)
            if not self.directory.startswith("/"):
                raise ConfigError(f"a job's directory is {self.directory!r}; it must be an absolute path")
        for name, value in self.environment.items():
            _must_match(VARIABLE, "environment", name, "names of letters, digits and '_', no digit first")
            _must_travel(f"environment[{name!r}]", value)

    def _check_lines(self) -> None:
        for kind, lines in (("setup", self.setup), ("directives", self.directives)):
            for line in lines:
                _must_travel(kind, line)
                if any(ord(mark) < 32 and mark != "\t" for mark in line):
                    raise ConfigError(f"a job's {kind} has {line!r}; each entry must be one line")
        for line in self.setup:
            if DIRECTIVE.match(line):
                raise ConfigError(f"a job's setup has {line!r}; put what follows the mark into `directives`")


def _must_match(pattern: re.Pattern[str], name: str, value: str, allowed: str) -> None:
    if not pattern.fullmatch(value):
        raise ConfigError(f"a job's {name} is {value!r}; allowed: {allowed}")


def _must_travel(name: str, value: str) -> None:
    try:
        content = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ConfigError(f"a job's {name} is {value!r}, which cannot be written as UTF-8") from error
    if b"\0" in content:
        raise ConfigError(f"a job's {name} is {value!r}; a NUL cannot be in it")
