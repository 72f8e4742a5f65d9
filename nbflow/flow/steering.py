"""Own the words that steer and show the loaded run as a whole: cancel, retry, tasks, events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbflow.core.task import Task
from nbflow.errors import AppTypeError, NbflowError
from nbflow.flow.current import current
from nbflow.flow.future import AppFuture, KernelFuture
from nbflow.flow.inputs import walk_futures
from nbflow.flow.owner import Owner
from nbflow.memo.collect import forget as forget_app
from nbflow.memo.places import cache_dir
from nbflow.memo.store import Store

if TYPE_CHECKING:
    from nbflow.journal.rows import EventRow
    from nbflow.journal.table import Table
    from nbflow.postmortem.capsule import Capsule

__all__ = ["attr", "cancel", "capsule", "events", "forget", "retry", "tasks"]


def cancel(*futures: Any, app: str | None = None) -> int:
    """Cancel the tasks of these futures, those of one app, or all; return how many were cancelled.

    A running one is stopped, C code included, where it runs in a process of its own.
    """
    if futures:
        return sum(kernel.cancel(tasks) for kernel, tasks in _by_kernel(futures))
    return current().cancel_all(app)


def retry(
    *futures: Any,
    failed: bool = False,
    error: type[BaseException] | tuple[type[BaseException], ...] | None = None,
    app: str | None = None,
    fn: Callable[..., Any] | None = None,
) -> int:
    """Run failed tasks again, and with them all that failed because of them; return how many tasks reopened.

    Give futures, or `failed=True` for every failed task, or `error` and `app` to choose among them. An app
    that was defined again meanwhile runs its newest definition; `fn` replaces the function for these tasks.
    The futures that you hold become pending again and then resolve. Tasks that succeeded keep their results.
    """
    if futures:
        return sum(kernel.retry(tasks, fn=fn) for kernel, tasks in _by_kernel(futures))
    kernel = current()
    if not failed and error is None and app is None:
        raise NbflowError("retry what? Give futures, failed=True, error=SomeError or app='name'")

    def matches(task: Task) -> bool:
        found = task.failure.error if task.failure is not None else None
        return (error is None or isinstance(found, error)) and (app is None or kernel.app_name(task) == app)

    return kernel.retry(kernel.failed(matches), fn=fn)


def capsule(run: str | Path, task: int) -> Capsule:
    """Return the record of a failed task of any run of yours: to debug it, run it again, make a test of it.

    `run` is its name, the start of it, or "last". It works when kernel and pilots are gone. For a future at
    hand there is `future.task.debug()`. Raises JournalError for no such run, NoCapsule for no such record.
    """
    from nbflow.postmortem.capsule import open_capsule

    return open_capsule(run, task)


def tasks(*, state: str | None = None, app: str | None = None, limit: int | None = None) -> Table:
    """Return the run's tasks as a table, oldest first: all, those in one state, those of one app.

    `.to_frame()` makes a pandas DataFrame of it.
    """
    from nbflow.journal.reader import open_run

    journal = current().journal
    journal.flush()
    with open_run(journal.address) as reader:
        return reader.tasks(state=state, app=app, limit=limit)


def events(since: int = 0) -> Iterator[EventRow]:
    """Yield what has happened in the run after event number `since`, and what happens, to its end."""
    from nbflow.journal.reader import open_run

    with open_run(current().journal.address) as reader:
        yield from reader.follow(since)


def forget(app: Any) -> int:
    """Forget all remembered results of an app, given itself or by its name; return how many there were.

    Its next calls are run anew. Other kernels of yours share the results, and run them anew too.
    """
    name = app if isinstance(app, str) else getattr(app, "__name__", None)
    if not isinstance(name, str):
        raise AppTypeError(f"forget({app!r}): give an app, or the name of one")
    store = Store(cache_dir())
    try:
        return forget_app(store, name)
    finally:
        store.close()


def attr(future: AppFuture[Any], name: str) -> AppFuture[Any]:
    """Return a future of `result.name`: a small task of its own, run in this process."""
    return current().derive("attribute", future, name)


def _by_kernel(futures: tuple[Any, ...]) -> Iterable[tuple[Owner, list[Task]]]:
    """Return the tasks behind futures, by kernel: each numbers its tasks from 1, a former one did too."""
    found: dict[Owner, list[Task]] = {}
    for future in walk_futures(futures):
        if isinstance(future, KernelFuture):
            found.setdefault(future._kernel, []).append(future._task)
    if not found:
        raise AppTypeError("give futures of apps, or a list of them")
    return found.items()
