"""Own what is said about one call: what to run, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, final

from nbflow.core.ids import TaskId, TryId
from nbflow.core.task import Grant
from nbflow.wire.functions import Function

__all__ = ["PYTHON", "Arguments", "Call", "Directive", "Kind", "Stream", "Upstream"]

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Positional and keyword arguments of one call."""

Upstream = tuple[tuple[int | str, TaskId], ...]
"""Places among the arguments, and the tasks before it in the same bundle whose results belong there."""


@final
class Kind(StrEnum):
    """Name what a function's result is taken for."""

    PYTHON = "python"
    """The value of the call."""
    BASH = "bash"
    """A command line, run by bash; the value is its exit code, 0."""
    JOIN = "join"
    """Futures to wait for; runs in the user's process."""


@final
@dataclass(frozen=True, slots=True)
class Stream:
    """Name a file that takes a call's output. `mode` is that of `open`, text or append."""

    path: str
    mode: str = "w"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """Say how a call is run, beyond calling its function; one object is shared by many calls.

    `outputs` are the paths that have to exist when the call is over. `is_strict` runs bash with
    `set -e -u -o pipefail`. `walltime` is in seconds. `label`, or else `app`, names the task in messages.
    """

    kind: Kind = Kind.PYTHON
    stdout: Stream | None = None
    stderr: Stream | None = None
    outputs: tuple[str, ...] = ()
    is_strict: bool = False
    walltime: float | None = None
    label: str = ""
    app: str = ""


PYTHON = Directive()
"""The directive of a plain Python call."""


@final
class Call:
    """Be one try of one task on its way to a slot.

    A plain slotted class: one is made for each try. `arguments()` gives the arguments with all futures
    replaced by their results; it may run a user's code (a dataclass that is rebuilt), so executors call it in
    a thread of theirs, unless the call `is_inert`: then it runs none and takes no time. What is `upstream` is
    None in them. `grant` is set when the dataflow kernel chose which GPUs, cores or nodes it has.
    """

    __slots__ = ("arguments", "directive", "function", "grant", "is_inert", "task", "try_id", "upstream")

    def __init__(
        self,
        task: TaskId,
        try_id: TryId,
        function: Function,
        arguments: Callable[[], Arguments],
        directive: Directive,
        *,
        is_inert: bool = False,
        upstream: Upstream = (),
    ) -> None:
        self.task = task
        self.try_id = try_id
        self.function = function
        self.grant: Grant | None = None
        self.arguments = arguments
        self.directive = directive
        self.is_inert = is_inert
        self.upstream = upstream
