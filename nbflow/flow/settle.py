"""Own the end of a task as its user sees it: what the futures get, and what the errors say."""

from __future__ import annotations

from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import Any

from nbflow.core.states import State
from nbflow.core.task import Failure, Task
from nbflow.errors import DependencyError, JoinError, TaskError
from nbflow.flow.futures.future import KernelFuture
from nbflow.flow.futures.inputs import replace_futures
from nbflow.flow.record import remote_text
from nbflow.flow.usercode import UserCode
from nbflow.wire.messages import Kind

__all__ = ["settle"]


def settle(task: Task, usercode: UserCode) -> None:
    """Settle the futures of a task that has just become final, and let their callbacks run."""
    future = task.future
    if task.state is State.DONE:
        value, error = task.value, None
        if task.call.directive.kind is Kind.JOIN:
            value, error = _arranged(task)
        for callback in future._settle(value, error):
            usercode.run(partial(callback, future))
        for output in future._outputs:
            _deliver(output, output.file, None, usercode)
        # Whoever needs the result holds the future; arguments and the way back to it are let go.
        task.call = task.call.let_go()
        task.value = task.future = None
        return
    is_cancelled = task.state is State.CANCELLED
    error = None if is_cancelled else _error_of(task)
    for one in (future, *future._outputs):
        _deliver(one, None, error, usercode, is_cancelled=is_cancelled)


def _arranged(task: Task) -> tuple[Any, BaseException | None]:
    """Return the results in the arrangement that a join app returned, or why they do not fit into it."""
    try:
        return replace_futures(task.value), None
    except Exception as trouble:  # noqa: BLE001 - the outcome is the future's
        error = JoinError(
            f"join app task {task.id} returned a {type(task.value).__name__} of futures, which cannot hold "
            f"their results: {type(trouble).__name__}: {trouble}. Return them in a list or a dict.",
            task=task.id,
        )
        error.__cause__ = trouble
        return None, error


def _deliver(
    future: KernelFuture[Any],
    value: Any,
    error: BaseException | None,
    usercode: UserCode,
    *,
    is_cancelled: bool = False,
) -> None:
    for callback in future._settle(value, error, cancelled=is_cancelled):
        usercode.run(partial(callback, future))


def _signed(error: BaseException, task: Task) -> BaseException:
    """Tell with a user's own exception which task it is from and what can be done; our own errors say so."""
    if not isinstance(error, TaskError):
        note = (
            f"nbflow: task {task.id}, {task.call.function.name}, try {task.try_id}. What it wrote: "
            "future.task.logs(). Once mended: future.task.retry()"
        )
        with suppress(Exception):  # its class may not let itself be written on
            signature = note.partition(",")[0]
            if not any(one.startswith(signature) for one in getattr(error, "__notes__", ())):
                BaseException.add_note(error, note)  # once: an undone retry settles it with the same error
    return error


def _in_one_line(error: BaseException) -> str:
    """Return type and message, to stand within a sentence.

    Our own errors say in their first line what failed. The message of others is the last line of the
    traceback's text, since __str__ is a user's code.
    """
    if isinstance(error, TaskError):
        line = str(error).partition("\n")[0]
    else:
        line = (remote_text(error) or "").strip().rpartition("\n")[2]
    line = line[:200].rstrip(".")
    name = type(error).__name__
    return line if line.startswith(name) else f"{name}: {line}" if line else name


_CAUSE = "task {}", "Mend the cause and retry it: every task that waits for it runs then."
_FOREIGN = (
    "a future given as an argument",
    "nbflow cannot run that again; give another in its place: future.task.retry(args=...)",
)


def _error_of(task: Task) -> BaseException:
    failure: Failure = task.failure  # type: ignore[assignment]
    if task.state is State.FAILED and failure.root == task.id and failure.error is not None:
        return _signed(failure.error, task)
    root = failure.error
    what = "was cancelled" if root is None else f"failed: {_in_one_line(root)}"
    if task.state is State.FAILED:
        error: JoinError | DependencyError = JoinError(
            f"task {failure.root} {what}; join app task {task.id} waited for it. Retry that task and "
            "this one goes on: future.task.retry()",
            task=task.id,
        )
    else:
        whose, advice = _CAUSE if failure.root != task.id else _FOREIGN
        error = DependencyError(
            f"{whose.format(failure.root)} {what}, so task {task.id}, which waits for it, was not run. "
            f"{advice}",
            root=root,
            root_task=failure.root,
            task=task.id,
        )
    error.__cause__ = root if root is not None else CancelledError(f"task {failure.root} was cancelled")
    return error
