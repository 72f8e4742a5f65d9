"""Own the running again of failed tasks: with which function, options and arguments, and what reopens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, final

from nbflow.core.events import RetryRequested
from nbflow.core.ids import AppId
from nbflow.core.states import REOPENABLE
from nbflow.core.task import Options, Task
from nbflow.errors import NotPicklable
from nbflow.flow.inputs import find_futures
from nbflow.flow.loop import FlowLoop
from nbflow.flow.memory import Recipe
from nbflow.flow.owner import Owner
from nbflow.flow.spec import AppSpec, newest
from nbflow.wire.functions import Function
from nbflow.wire.messages import Directive, Kind

__all__ = ["Repairs"]

Register = Callable[[AppSpec], tuple[AppId, Options]]


class _Definition(NamedTuple):
    """What tasks of an app run with from now on."""

    app: AppId
    function: Function
    options: Options
    directive: Directive
    recipe: Recipe


@final
class Repairs:
    """Reopen tasks of one dataflow kernel."""

    def __init__(self, owner: Owner, loop: FlowLoop, specs: dict[AppId, AppSpec], register: Register) -> None:
        self._owner = owner
        self._loop = loop
        self._specs = specs
        self._register = register

    def retry(
        self,
        tasks: Iterable[Task],
        fn: Callable[..., Any] | None,
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any] | None,
        *,
        is_remote: bool,
    ) -> int:
        """Reopen what of `tasks` is failed or cancelled, and what failed because of it; return how many."""
        wanted = list(tasks)
        # The function inside, where an app is given: an app called by a worker has no dataflow kernel there.
        spec = None if fn is None else AppSpec(getattr(fn, "fn", fn), Kind.PYTHON, Options())
        changed = None if spec is None else spec.portable.snapshot(encode=is_remote)
        definitions = self._definitions({task.app for task in wanted}, is_remote=is_remote)
        graph = self._loop.graph

        def reopen() -> int:
            closed = [task for task in graph.tasks.values() if task.state in REOPENABLE]
            for task in closed:
                self._renew(task, definitions)
            for task in wanted:
                if task.state not in REOPENABLE:
                    continue
                if changed is not None:
                    task.call.function = changed
                    task.call.recipe = spec.recipe(travels=is_remote)  # type: ignore[union-attr]
                if args is None and kwargs is None:
                    self._loop.apply(RetryRequested(task.id, is_anew=changed is not None))
                else:
                    self._reopen_with(task, args, kwargs)
            return sum(task.state not in REOPENABLE for task in closed)

        return self._loop.ask(reopen)

    def _definitions(self, wanted: set[AppId], *, is_remote: bool) -> dict[AppId, _Definition]:
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

    def _reopen_with(self, task: Task, args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None) -> None:
        """Reopen a task with other arguments; those that are None stay, with the futures among them."""
        call = task.call
        call.args = call.args if args is None else args
        call.kwargs = call.kwargs if kwargs is None else kwargs
        found = find_futures(self._owner, call.args, call.kwargs)
        call.has_futures = found is not None
        call.watch = None
        call.form = None  # it is no longer the call that its cell makes
        task.can_follow = call.can_follow
        parents, foreign = ((), []) if found is None else (found.tasks, found.foreign)
        self._loop.apply(RetryRequested(task.id, parents, is_anew=True, foreign=len(foreign)))
        self._loop.watch_foreign(task, foreign)
