"""Own the way from a view to its run: the only module of this package that knows the flow."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

if TYPE_CHECKING:
    from nbflow.flow.kernel import DataFlowKernel

__all__ = ["CurrentRun", "Run", "current_run", "flush_journal"]


FLUSH_SECONDS = 0.5


class Run(Protocol):
    """Be a run that views can follow and steer."""

    @property
    def address(self) -> Path | str:
        """Return what opens its journal."""
        ...

    def flush(self) -> object:
        """Wait until what has happened so far is in the journal."""
        ...

    def tasks_of(self, futures: Any) -> set[int]:
        """Return the ids of the tasks behind futures, in whatever arrangement these are."""
        ...

    def retry(self, tasks: Collection[int] | None) -> int:
        """Run these failed tasks again, or all (None); return how many tasks reopened."""
        ...


@final
class CurrentRun:
    """Be the run of a dataflow kernel in this process."""

    def __init__(self, kernel: DataFlowKernel) -> None:
        self._kernel = kernel

    @property
    def address(self) -> Path | str:
        """Return what opens its journal."""
        return self._kernel.journal.address

    def flush(self) -> object:
        """Wait until what has happened so far is in the journal."""
        return self._kernel.journal.flush()

    def tasks_of(self, futures: Any) -> set[int]:
        """Return the ids of the tasks behind futures, in whatever arrangement these are."""
        from nbflow.flow.inputs import walk_futures

        return self._kernel.tasks_of(walk_futures(futures))

    def retry(self, tasks: Collection[int] | None) -> int:
        """Run these failed tasks again, or all (None); return how many tasks reopened."""
        from nbflow.flow.request import Request
        from nbflow.flow.selection import choose_failed, describe_choice

        request = Request(by="the panel", why=describe_choice(numbers=tasks))
        return self._kernel.retry(choose_failed(self._kernel, numbers=tasks), request)


def flush_journal() -> None:
    """Have written down what happened until now in the current run, if there is one, for the next look."""
    from nbflow.flow import current

    if current.is_loaded():
        current.current().journal.flush(FLUSH_SECONDS)


def current_run() -> Run:
    """Return the run that apps use now. Raises NotLoaded when there is none."""
    from nbflow.flow import current  # a view of somebody else's run needs no engine

    return CurrentRun(current.current())
