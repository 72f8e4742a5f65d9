"""Own the way from a view to its run: the only module of this package that knows the flow."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final
from weakref import WeakValueDictionary

from nbflow.live.results import NOTHING

if TYPE_CHECKING:
    from nbflow.flow.kernel import DataFlowKernel
    from nbflow.postmortem.capsule import Capsule

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

    def result_of(self, task: int) -> Any:
        """Return the result of a task that is done, as far as its future was asked for here, or NOTHING."""
        ...

    def why_remembered(self, task: int) -> str | None:
        """Return why a task's result was remembered or not, as far as its future was asked for here."""
        ...

    def capsule(self, task: int) -> Capsule:
        """Return the record of a task's last failure. Raises NoCapsule."""
        ...

    def do(self, command: str, **arguments: Any) -> Any:
        """Do one of the commands that a live run takes; raise ControlError where it cannot be."""
        ...

    def edit(self, task: int, *, adopt: bool, **changes: Any) -> tuple[int, bool]:
        """Run a failed task again, edited; return how many tasks reopened, and whether the app was adopted.

        With `adopt` later calls of the app have the edited source too, as if its cell had been run again with
        it. Raises ControlError where the task cannot be edited so.
        """
        ...


@final
class CurrentRun:
    """Be the run of a dataflow kernel in this process."""

    def __init__(self, kernel: DataFlowKernel) -> None:
        self._kernel = kernel
        self._futures: WeakValueDictionary[int, Any] = WeakValueDictionary()

    @property
    def address(self) -> Path | str:
        """Return what opens its journal."""
        return self._kernel.journal.address

    def flush(self) -> object:
        """Wait until what has happened so far is in the journal."""
        return self._kernel.journal.flush()

    def tasks_of(self, futures: Any) -> set[int]:
        """Return the ids of the tasks behind futures, in whatever arrangement these are."""
        from nbflow.flow.futures.future import AppFuture
        from nbflow.flow.futures.inputs import walk_futures

        found = list(walk_futures(futures))
        self._futures.update((one.tid, one) for one in found if isinstance(one, AppFuture))
        return self._kernel.tasks_of(found)

    def result_of(self, task: int) -> Any:
        """Return the result of a task that is done, as far as its future was asked for here, or NOTHING."""
        future = self._futures.get(task)
        return NOTHING if future is None or not future.done() else future.result()

    def why_remembered(self, task: int) -> str | None:
        """Return why a task's result was remembered or not, as far as its future was asked for here."""
        future = self._futures.get(task)
        return None if future is None else self._kernel.why_remembered(future._task)

    def capsule(self, task: int) -> Capsule:
        """Return the record of a task's last failure. Raises NoCapsule."""
        return self._kernel.capsule(task)

    def do(self, command: str, **arguments: Any) -> Any:
        """Do one of the commands that a live run takes; raise ControlError where it cannot be."""
        from nbflow.flow.steering.commands import Desk

        with closing(Desk(self._kernel)) as desk:
            return desk.do(command, arguments)

    def edit(self, task: int, *, adopt: bool, **changes: Any) -> tuple[int, bool]:
        """Run a failed task again, edited; return how many reopened, and whether the app was adopted."""
        from nbflow.apps.app import adopt as adopt_function
        from nbflow.flow.spec import newest
        from nbflow.flow.steering.editing import revise

        kernel, source = self._kernel, changes.get("source")
        known = [newest(kernel.admission.specs[one.app]).fn for one in kernel.known_tasks() if one.id == task]
        reopened = self.do("edit", task=task, **changes)["reopened"]
        is_adopted = adopt and source is not None and adopt_function(known[0], revise(known[0], source))
        return reopened, is_adopted


def flush_journal() -> None:
    """Have written down what happened until now in the current run, if there is one, for the next look."""
    from nbflow.flow import current

    if current.is_loaded():
        current.current().journal.flush(FLUSH_SECONDS)


def current_run() -> Run:
    """Return the run that apps use now. Raises NotLoaded when there is none."""
    from nbflow.flow import current  # a view of somebody else's run needs no engine

    return CurrentRun(current.current())
