"""Own the choice of tasks by what people say of them: numbers, the name of an app, an error."""

from __future__ import annotations

from collections.abc import Collection

from nbflow.core.states import REOPENABLE, State
from nbflow.core.task import Task
from nbflow.errors import AppTypeError, NbflowError
from nbflow.flow.futures.describe import describe_value
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.spec import check_name

__all__ = ["ErrorChoice", "choose", "choose_failed", "choose_stated", "describe_choice"]

NUMBERS_SHOWN = 6

ErrorChoice = str | type[BaseException] | tuple[type[BaseException], ...] | None


def choose(
    kernel: DataFlowKernel, *, app: str | None = None, numbers: Collection[int] | None = None
) -> list[Task]:
    """Return the tasks that are not done: all, those of one app, those with these numbers.

    Raises JournalError for a number that no task has, NbflowError for an app that nobody has defined.
    """
    check_name(app, kernel.admission.specs)
    known = kernel.known_tasks()
    if numbers is not None:
        wanted = set(numbers)
        known = [task for task in known if task.id in wanted]
        if missing := wanted.difference(task.id for task in known):
            _check_numbers(kernel, missing)
    return [task for task in known if app is None or kernel.app_name(task) == app]


def choose_failed(
    kernel: DataFlowKernel,
    *,
    app: str | None = None,
    numbers: Collection[int] | None = None,
    error: ErrorChoice = None,
) -> list[Task]:
    """Return the tasks that failed by themselves, with such an error if one is given.

    `error` may be the name of a type, and of one that it derives from. Tasks that were cancelled, or wait for
    others to be retried, are among them only where they are named by their numbers. Raises AppTypeError for
    what is no type.
    """
    _check_error(error)
    states = {State.FAILED} if numbers is None else REOPENABLE
    return [
        task
        for task in choose(kernel, app=app, numbers=numbers)
        if task.state in states and (error is None or _is_failed_with(task, error))
    ]


def choose_stated(
    kernel: DataFlowKernel,
    what: str,
    *,
    failed: bool,
    app: str | None = None,
    numbers: Collection[int] | None = None,
    error: ErrorChoice = None,
) -> list[Task]:
    """Return what `choose_failed` does, where somebody said which, were it all of them by `failed`.

    `what` is to be done to them. Raises NbflowError where nothing was said.
    """
    if not failed and app is None and numbers is None and error is None:
        raise NbflowError(f"{what} what? Give tasks, failed=True, error=SomeError or app='name'")
    return choose_failed(kernel, app=app, numbers=numbers, error=error)


def describe_choice(
    *, app: str | None = None, numbers: Collection[int] | None = None, error: ErrorChoice = None
) -> str:
    """Return the words of such a choice, for the journal."""
    told = []
    if numbers is not None:
        shown = sorted(numbers)
        more = " ..." if len(shown) > NUMBERS_SHOWN else ""
        told.append(f"task{'s' if len(shown) > 1 else ''} {', '.join(map(str, shown[:NUMBERS_SHOWN]))}{more}")
    if error is not None:
        kinds = error if isinstance(error, tuple) else (error,)
        told.append(
            f"error={' or '.join(kind if isinstance(kind, str) else kind.__name__ for kind in kinds)}"
        )
    if app is not None:
        told.append(f"app={app}")
    return ", ".join(told) or "failed=True"


def _check_error(error: ErrorChoice) -> None:
    kinds = error if isinstance(error, tuple) else (error,)
    if not isinstance(error, str | None) and not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
    ):
        raise AppTypeError(f"error={describe_value(error)}: give a type of exceptions, or the name of one")


def _is_failed_with(task: Task, error: str | type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    found = task.failure.error if task.failure is not None else None
    if isinstance(error, str):
        return found is not None and error in {kind.__name__ for kind in type(found).__mro__}
    return isinstance(found, error)


def _check_numbers(kernel: DataFlowKernel, numbers: Collection[int]) -> None:
    """Raise JournalError for a task that never was; one that is done has left the graph."""
    from nbflow.journal.reader import open_run

    kernel.journal.flush(timeout=1.0)
    with open_run(kernel.journal.address) as reader:
        for number in numbers:
            reader.task(number)
