"""Own the words that steer and show the loaded run as a whole: cancel, retry, pause, tasks, events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nbflow.core.task import Task
from nbflow.errors import AppTypeError
from nbflow.flow.current import current
from nbflow.flow.futures.future import AppFuture, KernelFuture
from nbflow.flow.futures.inputs import lasting, walk_futures
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.request import Request
from nbflow.flow.steering.selection import ErrorChoice, choose, choose_stated, describe_choice
from nbflow.memo.collect import forget as forget_app
from nbflow.memo.places import cache_dir
from nbflow.memo.store import Store

if TYPE_CHECKING:
    from nbflow.journal.rows import EventRow
    from nbflow.journal.sql import Answer
    from nbflow.journal.table import Table
    from nbflow.postmortem.capsule import Capsule

__all__ = [
    "attr",
    "cancel",
    "capsule",
    "events",
    "forget",
    "pause",
    "release",
    "resume",
    "retry",
    "skip",
    "sql",
    "tasks",
    "undo",
]


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
    error: ErrorChoice = None,
    app: str | None = None,
    fn: Callable[..., Any] | None = None,
    **options: Any,
) -> int:
    """Run failed tasks again, and with them all that failed because of them; return how many tasks reopened.

    Give futures, or `failed=True` for every failed task, or `error` (a type, or the name of one) and `app` to
    choose among them. An app that was defined again meanwhile runs its newest definition; `fn` replaces the
    function for these tasks, and `options` such as memory='8 GB', walltime=60 or retries=2 are changed for
    them alone. The futures that you hold become pending again and then resolve. Tasks that succeeded keep
    their results. `nbflow.undo()` takes it back.
    """
    asked = Request(fn=fn, options=options)
    if futures:
        return sum(
            kernel.retry(tasks, replace(asked, why=describe_choice(numbers=[task.id for task in tasks])))
            for kernel, tasks in _by_kernel(futures)
        )
    kernel = current()
    wanted = choose_stated(kernel, "retry", failed=failed, app=app, error=error)
    return kernel.retry(wanted, replace(asked, why=describe_choice(app=app, error=error)))


def skip(
    *futures: Any, value: Any, failed: bool = False, error: ErrorChoice = None, app: str | None = None
) -> int:
    """Give failed tasks a value instead of running them; return how many reopened, with what waits for them.

    Give futures, or `failed=True`, `error` and `app` as for `retry`. The futures that you hold give the
    value; the journal says so, and `nbflow.undo()` takes it back.
    """
    if futures:
        return sum(kernel.skip(tasks, value) for kernel, tasks in _by_kernel(futures))
    kernel = current()
    return kernel.skip(choose_stated(kernel, "skip", failed=failed, app=app, error=error), value)


def undo() -> int:
    """Take the last retry back: its tasks end as they had ended before it; return how many there are.

    The futures that you hold give the former exception again, also where the retry succeeded. What still runs
    of them is stopped, and what runs with a result of theirs; what was finished with one stays as it is.
    """
    return current().undo()


def release(*futures: Any, app: str | None = None) -> int:
    """Hold tasks no longer that wait for a failed one to be retried; return how many fail by it.

    Give futures (of held tasks, or of those that hold them), the name of an app, or nothing for all.
    """
    if futures:
        return sum(kernel.release(tasks) for kernel, tasks in _by_kernel(futures))
    kernel = current()
    return kernel.release(None if app is None else choose(kernel, app=app))


def pause(*futures: Any, app: str | None = None) -> int:
    """Start nothing more: nothing at all, nothing of one app, or none of these tasks.

    What runs goes on, and what is submitted is kept. Returns how many tasks that could have started are kept
    back at once; `nbflow.resume()` lets them go.
    """
    if futures:
        return sum(kernel.pauses.pause(tasks=tasks) for kernel, tasks in _by_kernel(futures))
    return current().pauses.pause(app=app)


def resume(*futures: Any, app: str | None = None) -> int:
    """Start again what `nbflow.pause()` keeps back: everything, an app, or these tasks; return how many.

    The last word counts: an app that is resumed while everything is paused runs.
    """
    if futures:
        return sum(kernel.pauses.resume(tasks=tasks) for kernel, tasks in _by_kernel(futures))
    return current().pauses.resume(app=app)


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


def sql(query: str, run: str | Path | None = None) -> Answer:
    """Answer a SELECT over what has happened in the run: its tasks, attempts, events, failures and more.

    `run` is the name of any run of yours, the start of it, or "last"; without it the loaded one is meant.
    `.to_frame()` makes a pandas DataFrame of the answer. Raises QueryError for anything but a SELECT.
    """
    from nbflow.journal.sql import ask

    if run is not None:
        return ask(run, query)
    journal = current().journal
    journal.flush()
    return ask(journal.address, query)


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


def _by_kernel(futures: tuple[Any, ...]) -> Iterable[tuple[DataFlowKernel, list[Task]]]:
    """Return the tasks behind futures, by kernel: each numbers its tasks from 1, a former one did too."""
    found: dict[DataFlowKernel, list[Task]] = {}
    given = [lasting(one) for one in futures]
    for future in walk_futures(given):
        if isinstance(future, KernelFuture):
            found.setdefault(cast("DataFlowKernel", future._kernel), []).append(future._task)
    if not found and not all(isinstance(one, Collection) and not one for one in given):
        raise AppTypeError("give futures of apps, or a list of them")
    return found.items()
