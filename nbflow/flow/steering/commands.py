"""Own the commands that a live run takes from outside: one table, name -> function with typed parameters.

The command line, the server and the panel all come through this table. Its functions run in the control
thread, never in the loop; what they return goes into JSON.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, final, get_args, get_origin, get_type_hints

from nbflow.core.states import State
from nbflow.core.task import Task
from nbflow.errors import AppTypeError, ConfigError, ControlError
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.request import Request
from nbflow.flow.steering.editing import edit as edit_task
from nbflow.flow.steering.editing import prepare, value_of
from nbflow.flow.steering.nodes import nodes_of, scale_kernel
from nbflow.flow.steering.selection import choose, choose_failed, choose_stated, describe_choice
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.rows import EventRow

__all__ = ["COMMANDS", "Desk", "News"]

PROTOCOL: Final = 1
MOST_ROWS = 1000
FLUSH_SECONDS = 1.0
STRANGER = "the control socket"
"""Who asks, where a client does not say."""


@final
class Desk:
    """Do commands for one dataflow kernel, for one thread."""

    def __init__(self, kernel: DataFlowKernel) -> None:
        self.kernel = kernel
        self._reader: Reader | None = None

    def do(self, command: str, arguments: dict[str, Any]) -> Any:
        """Do a command and return what it answers; raise ControlError for one that is none, or ill-typed."""
        function = COMMANDS.get(command)
        if function is None:
            raise ControlError(f"there is no command {command!r}; there are {', '.join(COMMANDS)}")
        _check(command, function, arguments)
        return function(self, **arguments)

    @property
    def reader(self) -> Reader:
        """Return a reader of the run's journal."""
        if self._reader is None:
            self._reader = open_run(self.kernel.journal.address)
        return self._reader

    @property
    def fresh(self) -> Reader:
        """Return a reader that knows everything up to now, as far as it can be written down."""
        self.kernel.journal.flush(FLUSH_SECONDS)
        return self.reader

    def close(self) -> None:
        """Let go of the journal."""
        if self._reader is not None:
            self._reader.close()


@final
class News:
    """Say what changed since the last time that it was called, None when nothing did."""

    def __init__(self, desk: Desk, since: int | None) -> None:
        self._desk = desk
        self._since = since
        self._told: dict[str, int] | None = None

    def __call__(self) -> dict[str, Any] | None:
        """Return `tasks` by state, and at most MOST_ROWS `events` where these are wanted."""
        reader = self._desk.reader
        counts = _counts(reader)
        rows = [] if self._since is None else reader.events(self._since, MOST_ROWS)
        if counts == self._told and not rows:
            return None
        self._told = counts
        news: dict[str, Any] = {"tasks": counts}
        if self._since is not None:
            self._since = rows[-1].seq if rows else self._since
            news |= {"seq": self._since, "events": _for_json(rows)}
        return news


def status(desk: Desk, *, count: bool = True) -> dict[str, Any]:
    """Tell how the run stands: tasks by state, what is unfinished in the graph, trouble with the journal.

    `count=False` leaves the tasks by state out: to count them the first time takes a look at every event.
    """
    kernel, journal, reader = desk.kernel, desk.kernel.journal, desk.fresh
    return {
        "protocol": PROTOCOL,
        "run": kernel.run_id,
        "pid": os.getpid(),
        "executors": kernel.describe_executors(),
        "journal": str(journal.address),
        "paused": kernel.pauses.describe(),
        "trouble": None if journal.trouble is None else str(journal.trouble),
        "tasks": _counts(reader) if count else None,
        # Of the graph itself: right also where the journal cannot be written.
        "unfinished": sum(not task.state.is_final for task in kernel.known_tasks()),
    }


def tasks(
    desk: Desk, *, state: str | None = None, app: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """List at most `limit` tasks, the newest first: all, those in one state, those of one app."""
    table = desk.fresh.tasks(state=state, app=app, limit=_bounded(limit), newest_first=True)
    return [record.to_values() for record in table]


def nodes(desk: Desk, *, limit: int = MOST_ROWS) -> list[dict[str, Any]]:
    """List at most `limit` nodes, and blocks without any: where each stands in its queue, and why."""
    return [asdict(row) for row in nodes_of(desk.kernel)[: _bounded(limit)]]


def cancel(desk: Desk, *, app: str | None = None, tasks: list[int] | None = None) -> dict[str, int]:
    """Cancel unfinished tasks: all, those of one app, or those with these numbers."""
    kernel = desk.kernel
    wanted = choose(kernel, app=app, numbers=tasks)
    return {"cancelled": kernel.cancel(task for task in wanted if not task.state.is_final)}


def retry(
    desk: Desk,
    *,
    app: str | None = None,
    tasks: list[int] | None = None,
    error: str | None = None,
    options: dict[str, Any] | None = None,
    by: str = STRANGER,
) -> dict[str, int]:
    """Run failed tasks again, and all that failed because of them: all, or those chosen.

    `error` is the name of the exception's type, or of a class that it derives from. `options` of an app are
    changed for these tasks. Tasks that were cancelled or are held are among them only where they are named by
    their numbers. `by` is who asks, for the journal.
    """
    wanted = choose_failed(desk.kernel, app=app, numbers=tasks, error=error)
    why = describe_choice(app=app, numbers=tasks, error=error)
    return {"reopened": desk.kernel.retry(wanted, Request(options=options or {}, by=by, why=why))}


def skip(
    desk: Desk,
    *,
    value: str,
    failed: bool = False,
    app: str | None = None,
    tasks: list[int] | None = None,
    error: str | None = None,
    by: str = STRANGER,
) -> dict[str, int]:
    """Give failed tasks a value, a Python literal, instead of running them: those chosen, or all that failed.

    What waits for them goes on with it. `by` is who asks, for the journal.
    """
    kernel = desk.kernel
    wanted = choose_stated(kernel, "skip", failed=failed, app=app, numbers=tasks, error=error)
    return {"reopened": kernel.skip(wanted, value_of(value), by=by)}


def undo(desk: Desk, *, by: str = STRANGER) -> dict[str, int]:
    """Take the last retry back: its tasks end as they had ended before it."""
    return {"undone": desk.kernel.undo(by=by)}


def release(desk: Desk, *, app: str | None = None, tasks: list[int] | None = None) -> dict[str, int]:
    """Hold tasks no longer that wait for a failed one: all, those of one app, or those with these numbers."""
    chosen = None if app is None and tasks is None else choose(desk.kernel, app=app, numbers=tasks)
    return {"released": desk.kernel.release(chosen)}


def pause(desk: Desk, *, app: str | None = None, tasks: list[int] | None = None) -> dict[str, int]:
    """Start nothing more: nothing at all, nothing of one app, or none of the tasks with these numbers."""
    chosen = None if tasks is None else choose(desk.kernel, app=app, numbers=tasks)
    return {"paused": desk.kernel.pauses.pause(app=app, tasks=chosen)}


def resume(desk: Desk, *, app: str | None = None, tasks: list[int] | None = None) -> dict[str, int]:
    """Start again what is paused: everything, an app, or the tasks with these numbers."""
    chosen = None if tasks is None else choose(desk.kernel, app=app, numbers=tasks)
    return {"resumed": desk.kernel.pauses.resume(app=app, tasks=chosen)}


def draft(desk: Desk, *, task: int) -> dict[str, Any]:
    """Give what a person starts from who edits a failed task: see `Draft`."""
    return asdict(prepare(desk.kernel, _one(desk, task)))


def edit(
    desk: Desk,
    *,
    task: int,
    source: str | None = None,
    arguments: dict[str, str] | None = None,
    all_alike: bool = False,
    by: str = STRANGER,
) -> dict[str, int]:
    """Run a failed task again with another source or other arguments, and what failed because of it.

    With `all_alike` the source is for all failed tasks of its app with the same error. `by` is who asks.
    """
    try:
        reopened = edit_task(
            desk.kernel, _one(desk, task), source=source, arguments=arguments, all_alike=all_alike, by=by
        )
    except (AppTypeError, SyntaxError) as error:
        raise ControlError(f"task {task} was not run again: {error}") from error
    return {"reopened": reopened}


def tail(desk: Desk, *, limit: int = 20, since: int | None = None) -> dict[str, Any]:
    """List the last `limit` events, or the first ones after event number `since`."""
    reader, limit = desk.fresh, _bounded(limit)
    first = max(0, reader.last_seq() - limit) if since is None else since
    rows = reader.events(first, limit)
    return {"seq": rows[-1].seq if rows else first, "events": _for_json(rows)}


def scale(desk: Desk, *, blocks: int, executor: str | None = None) -> dict[str, Any]:
    """Set how many blocks an executor has; refused where it has none."""
    try:
        scale_kernel(desk.kernel, blocks, executor)
    except ConfigError as error:
        raise ControlError(str(error)) from error
    return {"blocks": blocks}


def subscribe(desk: Desk, *, since: int | None = None) -> dict[str, Any]:
    """Tell how the run stands, and then what `News` says; with `since` also the events after that number."""
    return status(desk)


ALL = (
    status, tasks, nodes, cancel, retry, skip, draft, edit, undo, release, pause, resume, tail, scale,
    subscribe,
)  # fmt: skip
COMMANDS: dict[str, Callable[..., Any]] = {function.__name__: function for function in ALL}


def _counts(reader: Reader) -> dict[str, int]:
    counts = reader.counts()
    return {state.name.lower(): counts[state] for state in State if counts[state]}


def _for_json(rows: Iterable[EventRow]) -> list[dict[str, Any]]:
    """Sort out events for JSON; a traceback, which may be long, is left to whoever asks for its task."""
    told = []
    for row in rows:
        detail = None if row.detail is None else json.loads(row.detail)
        if detail is not None:
            detail.pop("traceback", None)
        told.append(row._asdict() | {"state": State(row.state).name.lower(), "detail": detail})
    return told


def _one(desk: Desk, number: int) -> Task:
    """Return a task that can be steered; raise ControlError for one that is done."""
    for task in choose(desk.kernel, numbers=[number]):
        return task
    raise ControlError(f"task {number} is done: only failed and cancelled tasks can be edited")


def _bounded(limit: int) -> int:
    if not 0 < limit <= MOST_ROWS:
        raise ControlError(f"limit={limit}: give a number from 1 to {MOST_ROWS}")
    return limit


def _check(command: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raise ControlError unless the arguments are of the function's parameters and types."""
    parameters = dict(inspect.signature(function).parameters)
    del parameters["desk"]
    hints = get_type_hints(function)
    for name, value in arguments.items():
        if name not in parameters:
            takes = ", ".join(parameters) or "no arguments"
            raise ControlError(f"{command} takes no {name!r}; it takes {takes}")
        if not _fits(value, hints[name]):
            raise ControlError(f"{command}: {name} has to be {parameters[name].annotation}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise ControlError(f"{command} needs {name!r}: {parameter.annotation}")


def _fits(value: object, hint: Any) -> bool:
    """Tell whether a value that came as JSON is of a type: plain, a list or object of those, a union."""
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(one, get_args(hint)[0]) for one in value)
    if get_origin(hint) is dict:
        kind = get_args(hint)[1]
        return isinstance(value, dict) and (kind is Any or all(_fits(one, kind) for one in value.values()))
    return type(value) is (NoneType if hint is None else cast("type", hint))
