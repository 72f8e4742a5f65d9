"""Own what futures and task handles may ask of the dataflow kernel that they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from nbflow.core.task import Task
from nbflow.flow.request import AS_IT_IS, Request
from nbflow.journal.writer import Journal

__all__ = ["Owner"]


class Owner(Protocol):
    """Be the dataflow kernel as futures see it: it settles them, and steers the tasks behind them."""

    @property
    def journal(self) -> Journal:
        """Return the journal of the run."""

    def handle(self, task: Task) -> Any:
        """Return the TaskHandle of a task."""

    def app_name(self, task: Task) -> str:
        """Return the name of a task's app."""

    def inputs_of(self, task: Task) -> dict[str, str]:
        """Return a short picture of each argument."""

    def why_waiting(self, task: Task) -> str | None:
        """Return what keeps a task that is queued, paused or held; None for any other."""

    def why_remembered(self, task: Task) -> str | None:
        """Return whether a remembered result was used, and if not why; None where none is wanted."""

    def capsule(self, task: int) -> Any:
        """Return the Capsule of a task's last failure."""

    def derive(self, operation: str, future: Any, key: Any) -> Any:
        """Return a future of a tiny operation on a future's result."""

    def cancel(self, tasks: Iterable[Task]) -> int:
        """Cancel tasks; return how many were cancelled."""

    def retry(self, tasks: Iterable[Task], request: Request = AS_IT_IS) -> int:
        """Run tasks that are not done again; return how many reopened."""

    def release(self, tasks: Iterable[Task] | None = None) -> int:
        """Hold tasks no longer; return how many end by it."""

    def before_wait(self) -> None:
        """Be told that the calling thread is about to wait."""

    def interrupted(self) -> str:
        """Return what to tell a user who stopped waiting."""
