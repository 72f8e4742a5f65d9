"""Own the translation of the event stream into rows of the journal."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, final, get_args

from nbflow.core.events import (
    TRY_EVENTS,
    DepFailed,
    Dispatched,
    Event,
    RetryRequested,
    Returned,
    Spawned,
    StagingFailed,
    Submitted,
    TryFailed,
    Undone,
)
from nbflow.core.states import Cause, State
from nbflow.core.task import Failure, Task
from nbflow.errors import RemoteError, RemoteTraceback, TaskError
from nbflow.executors.protocol import Printed, Used
from nbflow.flow.futures.describe import describe_call
from nbflow.flow.futures.inputs import Invocation, are_atoms, files_in
from nbflow.journal.rows import (
    ARGUMENT,
    JOIN_CHILD,
    AppRow,
    CellRow,
    Detail,
    EdgeRow,
    FileRow,
    OutputRow,
    UsageRow,
    seconds_detail,
)
from nbflow.journal.writer import Journal
from nbflow.wire.secrecy import conceal, environment, secret_places

__all__ = ["Recorder", "failure_text", "remote_text"]

MAX_PATH_LENGTH = 1000
NUMBERS = tuple(int(state) for state in State)
"""Plain numbers: SQLite's module looks twice at those of an enumeration."""


@final
class Recorder:
    """Append one row to the journal for every change of a task's state.

    `now` is set by the loop once for each batch of events.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        # Plain tuples in the order of TaskRow and EventRow: a third of the price.
        self._tasks: Callable[[Any], None] = journal.tasks.append
        self._events: Callable[[Any], None] = journal.events.append
        self._edges = journal.edges.extend
        self._seq = 0
        self._slots: dict[str, str] = {}
        self.now = 0.0
        self._names: dict[int, str] = {}
        self._secret: dict[int, frozenset[int]] = {}

    def app(self, row: AppRow) -> None:
        """Record an app that this run has not seen before, or whose function changed."""
        self._names[row.app] = row.name
        self._journal.apps.append(row)

    def cell(self, row: CellRow) -> None:
        """Record that a notebook cell begins to run."""
        self._journal.cells.append(row)

    def printed(self, output: Printed) -> None:
        """Record what a try wrote."""
        self._journal.outputs.append(
            OutputRow(output.task, output.try_id, output.stream, output.text, output.nbytes)
        )

    def used(self, usage: Used) -> None:
        """Record what a try used."""
        self._journal.usage.append(UsageRow(usage.task, usage.try_id, usage.cpu_seconds, usage.nbytes))

    def note(self, task: Task, event: Event) -> None:
        """Record that `event` changed the state of `task`: the graph's one event stream ends here."""
        self._seq = seq = self._seq + 1
        kind = type(event)
        if kind is Submitted:
            self._submitted(task, seq)
            return
        name, is_of_try, detail = _COLUMNS[kind]
        text = None if detail is None else detail(self, task, event)
        # A failed try has moved the task on to its next one by now.
        try_id = event.try_id if is_of_try else task.try_id  # type: ignore[union-attr]
        self._events((seq, self.now, task.id, try_id, name, NUMBERS[task.state], text))
        if kind is Spawned:
            self._edges(EdgeRow(task.id, other.id, JOIN_CHILD) for other in task.children)

    def _submitted(self, task: Task, seq: int) -> None:
        spec = task.call
        label = spec.directive.label
        secret = self._secret.get(task.app)
        if secret is None:
            secret = self._secret[task.app] = secret_places(spec.function.fn)
        call = describe_call(self._names[task.app], spec.args, spec.kwargs, secret)
        self._tasks(
            (task.id, seq, self.now, task.app, label, call, NUMBERS[task.state], task.spawner, spec.origin)
        )
        if task.parents:
            self._edges(EdgeRow(other.id, task.id, ARGUMENT) for other in task.parents)
        if spec.directive.outputs or not are_atoms(spec.args, spec.kwargs):
            self._with_files(task.id, spec)

    def _with_files(self, task: int, call: Invocation) -> None:
        # Those that it writes are among its arguments, too.
        paths = {file.path: False for file in files_in(call.args, call.kwargs)}
        paths |= dict.fromkeys(call.directive.outputs, True)
        self._journal.files.extend(
            FileRow(task, conceal(path)[:MAX_PATH_LENGTH], is_written) for path, is_written in paths.items()
        )

    def _dispatched(self, task: Task, event: Dispatched) -> str:
        if event.why is not None:
            return self._chosen(event.slot, event.why)
        text = self._slots.get(event.slot)
        if text is None:
            text = self._slots[event.slot] = Detail(slot=event.slot).to_json()
        return text

    @staticmethod
    @lru_cache(maxsize=1)
    def _chosen(slot: str, why: str) -> str:
        # The tasks of a bundle share one reason, and are recorded one after the other.
        return Detail(slot=slot, why=why).to_json()

    def _returned(self, task: Task, event: Returned | Spawned) -> str:
        return seconds_detail(event.seconds)

    def _failed(self, task: Task, event: TryFailed | StagingFailed) -> str:
        cause = event.cause if isinstance(event, TryFailed) else Cause.STAGING
        seconds = event.seconds if isinstance(event, TryFailed) else None
        text = event.traceback if isinstance(event, TryFailed) else None
        return _describe_error(event.error, text, cause=cause, seconds=seconds, delay=task.delay or None)

    def _dep_failed(self, task: Task, event: DepFailed) -> str | None:
        failure: Failure = event.failure
        if failure.error is None:
            return Detail(root=failure.root, message="cancelled").to_json()
        return Detail(root=failure.root, error=type(failure.error).__name__).to_json()

    def _retry_requested(self, task: Task, event: RetryRequested) -> str:
        code = task.app if event.code is None else event.code
        return Detail(by=event.by, why=event.why, code=code, root=event.root).to_json()

    def _undone(self, task: Task, event: Undone) -> str:
        error = task.failure.error if task.failure is not None else None
        root = task.failure.root if task.failure is not None and task.failure.root != task.id else None
        if error is None or root is not None:
            name = None if error is None else type(error).__name__
            return Detail(by=event.by, code=task.app, error=name, root=root).to_json()
        return _describe_error(error, None, by=event.by, code=task.app)


_DETAILS: dict[type[Any], Any] = {
    Dispatched: Recorder._dispatched,
    Returned: Recorder._returned,
    Spawned: Recorder._returned,
    TryFailed: Recorder._failed,
    StagingFailed: Recorder._failed,
    DepFailed: Recorder._dep_failed,
    RetryRequested: Recorder._retry_requested,
    Undone: Recorder._undone,
}

_COLUMNS: dict[type[Any], tuple[str, bool, Any]] = {
    kind: (kind.__name__, kind in TRY_EVENTS, _DETAILS.get(kind)) for kind in get_args(Event)
}
"""What a kind of event writes, looked up once for each event: its name, whose try it is about, its detail."""


def remote_text(error: BaseException) -> str | None:
    """Return the traceback that came with an error, as text."""
    cause = error.__cause__
    return cause.text if isinstance(cause, RemoteTraceback) else None


def failure_text(error: BaseException, text: str | None) -> tuple[str, str]:
    """Return the message of a failure and its traceback, as they may be written down; either may be empty."""
    text = text or remote_text(error) or ""
    # The last line of the traceback holds the message; __str__ of another error is a user's code.
    last_line = text.strip().rpartition("\n")[2]
    if isinstance(error, BaseExceptionGroup):  # below its message stand those of its members
        named = (line for line in text.splitlines() if f"{type(error).__name__}: " in line)
        last_line = next(named, last_line).strip(" |")
    is_ours = isinstance(error, TaskError) and not isinstance(error, RemoteError)
    veil = environment()
    return veil.over(str(error) if is_ours else last_line), veil.over(text)


def _describe_error(error: BaseException, text: str | None, **more: Any) -> str:
    message, text = failure_text(error, text)
    return Detail(error=type(error).__name__, message=message, traceback=text or None, **more).to_json()
