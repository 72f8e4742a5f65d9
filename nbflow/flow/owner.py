"""Own what futures and task handles may ask of the dataflow kernel that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from nbflow.core.task import Task
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

    def why_queued(self, task: Task) -> str | None:
        """Return what a task is waiting for, None when it is not queued."""

    def why_remembered(self, task: Task) -> str | None:
        """Return whether a remembered result was used, and if not why; None where none is wanted."""

    def capsule(self, task: int) -> Any:
        """Return the Capsule of a task's last failure."""

    def derive(self, operation: str, future: Any, key: Any) -> Any:
        """Return a future of a tiny operation on a future's result."""

    def cancel(self, tasks: Iterable[Task]) -> int:
        """Cancel tasks; return how many were cancelled."""

    def retry(
        self,
        tasks: Iterable[Task],
        *,
        fn: Callable[..., Any] | None = None,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> int:
        """Run final tasks again; return how many reopened."""

    def before_wait(self) -> None:
        """Be told that the calling thread is about to wait."""

    def interrupted(self) -> str:
        """Return what to tell a user who stopped waiting."""
