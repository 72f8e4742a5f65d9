"""Own the running again of failed tasks: with which code, options and arguments; what reopens; its undoing.

Everything here happens between two events of the loop: a retry or its undoing is seen by nobody in part.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, NamedTuple, final

from nbflow.core.events import CancelRequested, Released, RetryRequested, Substitute
from nbflow.core.former import Former
from nbflow.core.graph import waits_for
from nbflow.core.ids import AppId
from nbflow.core.states import REOPENABLE, State
from nbflow.core.task import Options, Task
from nbflow.errors import AppTypeError, NotPicklable
from nbflow.flow.admission import Admission
from nbflow.flow.cancelling import spawned_by
from nbflow.flow.futures.describe import describe_arguments, describe_value
from nbflow.flow.futures.inputs import find_futures
from nbflow.flow.futures.owner import Owner
from nbflow.flow.loop import FlowLoop
from nbflow.flow.options import change_options
from nbflow.flow.recipes import Recipe
from nbflow.flow.request import Request
from nbflow.flow.spec import AppSpec, newest
from nbflow.wire.functions import Function
from nbflow.wire.messages import Directive, Kind
from nbflow.wire.secrecy import secret_places

__all__ = ["Repairs"]


class _Definition(NamedTuple):
    """What tasks of an app run with from now on."""

    app: AppId
    function: Function
    options: Options
    directive: Directive
    recipe: Recipe


class _Changed(NamedTuple):
    """What was given for the tasks of one retry alone."""

    code: AppId
    function: Function
    recipe: Recipe


@final
class Repairs:
    """Reopen tasks of one dataflow kernel, and close them again."""

    def __init__(self, owner: Owner, loop: FlowLoop, admission: Admission) -> None:
        self._owner = owner
        self._loop = loop
        self._specs = admission.specs
        self._register = admission.known
        self._admit = admission.admit
        self._formers: list[Former] = []
        self._newest_task = 0

    def retry(self, tasks: Iterable[Task], request: Request, *, is_remote: bool) -> int:
        """Reopen what of `tasks` is not done, and what failed because of it; return how many.

        Nothing is changed when the request cannot be met: raises ConfigError, InvalidResources, NotPicklable,
        AppTypeError.
        """
        wanted = list(tasks)
        changed = self._changed(request.fn, is_remote=is_remote)
        if request.args is not None or request.kwargs is not None:
            for task in wanted:
                if task.state in REOPENABLE:
                    self._check_arguments(task, request)
        is_memoized = bool(request.options.get("cache"))
        definitions = self._definitions(
            {task.app for task in wanted}, is_remote=is_remote, is_memoized=is_memoized
        )
        if is_memoized:
            self._loop.memory.open()

        def reopen() -> int:
            self._check_cycle(wanted, request)
            formers = self._closed()
            for former in formers:
                self._renew(former.task, definitions)
            chosen = [task for task in wanted if task.state in REOPENABLE]
            options = [self._changed_options(task, request) for task in chosen]
            for task, changed_options in zip(chosen, options, strict=True):
                self._change(task, request, changed_options, changed)
            for task in chosen:
                if task.state in REOPENABLE:  # and not reopened with another one
                    self._reopen(task, request, None if changed is None else changed.code)
            return self._keep_reopened(formers)

        return self._loop.ask(reopen)

    def skip(self, tasks: Iterable[Task], value: Any, by: str) -> int:
        """Let what of `tasks` is not done be done with `value`; return how many reopened."""
        wanted = list(tasks)
        substitute, why = Substitute(value), f"skip({describe_value(value)})"

        def give() -> int:
            formers = self._closed()
            for task in wanted:
                if task.state in REOPENABLE:
                    self._loop.apply(RetryRequested(task.id, by=by, why=why, substitute=substitute))
            return self._keep_reopened(formers)

        return self._loop.ask(give)

    def _closed(self) -> list[Former]:
        """Return how the tasks stand that can be reopened."""
        tasks = self._loop.graph.tasks.values()
        return [Former.of(task, copy.copy(task.call)) for task in tasks if task.state in REOPENABLE]

    def _keep_reopened(self, formers: list[Former]) -> int:
        """Keep how reopened tasks stood before, for `undo`; return how many there are."""
        reopened = [former for former in formers if former.task.try_id != former.try_id]
        if reopened:
            self._formers = reopened
            self._newest_task = max(self._loop.graph.tasks, default=0)
        return len(reopened)

    def undo(self, by: str) -> int:
        """Let the tasks of the last retry end as they had ended before it; return how many there are."""

        def put_back() -> int:
            formers, self._formers = self._formers, []
            foreign = {former.task: self._foreign(former) for former in formers}
            for task in foreign:
                if task.call is not None:
                    task.call.watch = None
            restored = [replace(former, foreign=len(foreign[former.task])) for former in formers]
            self._loop.perform(self._loop.graph.undo(restored, by))
            for task, futures in foreign.items():
                self._loop.watch_foreign(task, futures)
            self._cancel_spawned({task.id for task in foreign})
            return len(formers)

        return self._loop.ask(put_back)

    def release(self, tasks: Iterable[Task] | None) -> int:
        """Hold tasks no longer: all, or these and what these hold; return how many end by it."""
        wanted = None if tasks is None else list(tasks)
        graph = self._loop.graph

        def let_go() -> int:
            held = [task for task in graph.tasks.values() if task.state is State.HELD]
            for task in held if wanted is None else wanted:
                for one in (task, *(task.dependents or ())):
                    self._loop.apply(Released(one.id))
            return sum(task.state is not State.HELD for task in held)

        return self._loop.ask(let_go)

    def _changed_options(self, task: Task, request: Request) -> Options:
        if not request.options:
            return task.options
        return self._admit(change_options(task.options, request.options))

    def _changed(self, fn: Callable[..., Any] | None, *, is_remote: bool) -> _Changed | None:
        if fn is None:
            return None
        if not callable(fn):
            raise AppTypeError(f"fn={describe_value(fn)}: give the function that the tasks shall run")
        # The function inside, where an app is given: an app called by a worker has no dataflow kernel there.
        spec = AppSpec(getattr(fn, "fn", fn), Kind.PYTHON, Options())
        function = spec.portable.snapshot(encode=is_remote)
        return _Changed(self._register(spec)[0], function, spec.recipe(travels=is_remote))

    def _check_arguments(self, task: Task, request: Request) -> None:
        """Raise AppTypeError for arguments that the function does not take."""
        fn = request.fn or newest(self._specs[task.app]).fn
        try:
            signature = inspect.signature(fn)
        except (TypeError, ValueError):  # some C functions tell nothing
            return
        args = task.call.args if request.args is None else request.args
        kwargs = task.call.kwargs if request.kwargs is None else request.kwargs
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            name = getattr(fn, "__name__", type(fn).__name__)
            kept = "; what was given by position stays, args=() leaves it out" if request.args is None else ""
            raise AppTypeError(f"{name}{signature}: {error}{kept}") from None

    def _check_cycle(self, wanted: Iterable[Task], request: Request) -> None:
        """Raise AppTypeError for arguments that wait for the very task that would take them."""
        found = find_futures(self._owner, tuple(request.args or ()), request.kwargs or {})
        for task in wanted:
            if found is not None and waits_for(found.tasks, task):
                raise AppTypeError(f"task {task.id} cannot take a future that waits for it: that never ends")

    def _definitions(
        self, wanted: set[AppId], *, is_remote: bool, is_memoized: bool
    ) -> dict[AppId, _Definition]:
        found: dict[AppId, _Definition] = {}
        for app, spec in self._specs.copy().items():  # others register apps meanwhile
            now = newest(spec)
            try:
                function = now.portable.snapshot(encode=is_remote and now.kind is not Kind.JOIN)
            except NotPicklable:
                if app in wanted:
                    raise
                continue  # it matters when a task of this app is retried
            known, options = self._register(now)
            recipe = now.recipe(travels=is_remote and now.kind is not Kind.JOIN)
            found[app] = _Definition(known, function, options, now.directive, recipe)
        return found

    def _renew(self, task: Task, definitions: dict[AppId, _Definition]) -> None:
        """Let a task use its app's newest definition; what its call alone was given stays."""
        definition = definitions.get(task.app)
        if definition is None:
            return
        before = self._specs[task.app]
        if before.seen is not None and task.options is before.seen[2]:
            task.options = definition.options
        if task.call.directive is before.directive:
            task.call.directive = definition.directive
        task.app, task.call.function = definition.app, definition.function
        task.call.recipe = definition.recipe

    def _change(self, task: Task, request: Request, options: Options, changed: _Changed | None) -> None:
        task.options = options
        if "walltime" in request.options:
            task.call.directive = replace(task.call.directive, walltime=options.walltime)
        if changed is not None:
            task.call.function, task.call.recipe = changed.function, changed.recipe

    def _reopen(self, task: Task, request: Request, code: AppId | None) -> None:
        event = RetryRequested(
            task.id,
            is_anew=code is not None,
            by=request.by,
            why=_words(request, task.call.function.fn),
            code=code,
        )
        if request.args is None and request.kwargs is None:
            self._loop.apply(event)
            return
        # Arguments that are not given stay, with the futures among them.
        call = task.call
        call.args = call.args if request.args is None else tuple(request.args)
        call.kwargs = call.kwargs if request.kwargs is None else request.kwargs
        found = find_futures(self._owner, call.args, call.kwargs)
        call.has_futures = found is not None
        call.watch = None
        call.form = None  # it is no longer the call that its cell makes
        task.can_follow = call.can_follow
        event.parents, foreign = ((), []) if found is None else (found.tasks, found.foreign)
        event.is_anew, event.foreign = True, len(foreign)
        self._loop.apply(event)
        self._loop.watch_foreign(task, foreign)

    def _foreign(self, former: Former) -> list[Future[Any]]:
        """Return the futures of others among the arguments that a task had."""
        found = find_futures(self._owner, former.call.args, former.call.kwargs)
        return [] if found is None else found.foreign

    def _cancel_spawned(self, joins: set[Any]) -> None:
        """End what join tasks have started since their retry: nobody waits for it."""
        for task in spawned_by(self._loop.graph.tasks.values(), joins):
            if task.id > self._newest_task:
                self._loop.apply(CancelRequested(task.id))


def _words(request: Request, fn: Callable[..., Any]) -> str:
    """Return which tasks were asked for and what was changed: `failed=True, memory='4 GB'`."""
    changes: dict[str, Any] = {"kwargs": request.kwargs, **request.options}
    told = []
    if request.args is not None:
        shown = list(describe_arguments(tuple(request.args), {}, secret_places(fn)).values())
        told.append(f"args=({', '.join(shown)}{',' if len(shown) == 1 else ''})")
    told += [f"{name}={describe_value(value)}" for name, value in changes.items() if value is not None]
    if request.fn is not None:
        told.insert(0, f"fn={getattr(request.fn, '__name__', type(request.fn).__name__)}")
    return ", ".join(filter(None, (request.why, *told)))
