"""Own what a worker tells of one call that has ended."""

from __future__ import annotations

from typing import Any, final

from nbflow.core.ids import TaskId, TryId
from nbflow.wire.capsule import Testimony

__all__ = ["Outcome", "Text", "Usage"]

Text = tuple[str, int]
"""What was kept of a stream, and how many bytes it was in all."""

SILENT: Text = ("", 0)

Usage = tuple[float, int | None]
"""Seconds of processor time, and the most bytes of memory that were held; None where that is not known."""


@final
class Outcome:
    """Say what came of one try: a value, or an error when `error` is not None.

    A value that may change later can be handed over `Encoded`. `seconds` is the time of the call alone;
    `stdout` and `stderr` are (kept text, bytes in all), `usage` is None where it was not measured. A plain
    slotted class: one is made for each call.
    """

    __slots__ = ("error", "seconds", "stderr", "stdout", "task", "testimony", "try_id", "usage", "value")

    def __init__(
        self,
        task: TaskId,
        try_id: TryId,
        value: Any,
        error: BaseException | None = None,
        seconds: float = 0.0,
        stdout: Text = SILENT,
        stderr: Text = SILENT,
        usage: Usage | None = None,
        testimony: Testimony | None = None,
    ) -> None:
        self.task = task
        self.try_id = try_id
        self.value = value
        self.error = error
        self.seconds = seconds
        self.stdout = stdout
        self.stderr = stderr
        self.usage = usage
        self.testimony = testimony
