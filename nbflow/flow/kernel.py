"""Own one run: the graph of this notebook or script, the executors it may use, its journal.

Everything here is called from users' threads. What concerns the graph is posted to the loop, or asked of it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import wait
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, final

from nbflow.core.events import Submitted
from nbflow.core.ids import AppId, TaskId
from nbflow.core.retry import RetryPolicy
from nbflow.core.states import State
from nbflow.core.task import Options, Task
from nbflow.data.file import File
from nbflow.errors import ConfigError, InvalidResources, NotLoaded
from nbflow.executors.protocol import Executor, Exit
from nbflow.executors.threads import ThreadsExecutor
from nbflow.flow.cancelling import cancel_tasks
from nbflow.flow.capsules import Capsules
from nbflow.flow.describe import describe_inputs
from nbflow.flow.future import AppFuture, DataFuture, KernelFuture
from nbflow.flow.handle import TaskHandle
from nbflow.flow.inputs import Found, Invocation, are_atoms, find_futures, keep_arrangement
from nbflow.flow.internal import DERIVATIONS
from nbflow.flow.loop import FlowLoop
from nbflow.flow.origin import calling_line
from nbflow.flow.repair import Repairs
from nbflow.flow.spec import AppSpec
from nbflow.flow.usercode import UserCode
from nbflow.journal.rows import CellRow
from nbflow.journal.writer import Journal
from nbflow.postmortem.capsule import Capsule
from nbflow.wire.messages import PYTHON, Directive, Kind

__all__ = ["DataFlowKernel"]

T = TypeVar("T")

CLOSE_SECONDS = 5.0
CLOSED = "this dataflow kernel is closed; call nbflow.load() to start one"


@final
class DataFlowKernel:
    """Run apps' calls as a graph of tasks.

    `executors` are started here, in the order of preference; `local` runs what has to run in this process
    (the bodies of join apps). Raises what an executor's `start` raises; nothing is left running then.
    """

    def __init__(
        self,
        journal: Journal,
        run_dir: Path,
        executors: Sequence[Executor],
        local: ThreadsExecutor,
        retry: RetryPolicy,
        *,
        is_memoized: bool = False,
    ) -> None:
        self.journal = journal
        self.run_id = journal.run
        self.run_dir = run_dir
        self._retry = retry
        self._is_memoized = is_memoized
        self.is_remote = any(executor.is_remote for executor in executors)
        self._origin: str | None = None
        self._next_task = count(1).__next__
        self._next_app = count(1).__next__
        self._specs: dict[AppId, AppSpec] = {}
        self._admitted: dict[Options, Options] = {}
        self._registering = threading.Lock()
        self._usercode = UserCode()
        self._capsules = Capsules(journal.run, run_dir, self._specs)
        self._loop = FlowLoop(journal, self._usercode, lambda: Found(self), self._capsules.keep)
        self._inbox = self._loop.inbox
        self._repairs = Repairs(self, self._loop, self._specs, self._known)
        self._executors: list[Executor] = []
        self._companions: list[Callable[[], object]] = []
        self._local = local
        self._is_open = True
        self._pid = os.getpid()
        self._loop.start()
        try:
            for executor in executors:
                self._open(executor, is_default=True)
            self._open(local, is_default=False)
        except BaseException:
            self.close()
            raise

    def _open(self, executor: Executor, *, is_default: bool) -> None:
        self._executors.append(executor)
        capacity = executor.start(self._inbox.put)
        self._loop.ask(lambda: self._loop.open_executor(executor, capacity, is_default=is_default))

    @property
    def is_open(self) -> bool:
        """Tell whether calls are taken, in this very process."""
        return self._is_open and self._pid == os.getpid()

    def accompany(self, close: Callable[[], object]) -> None:
        """Have `close()` called when this kernel closes, while its loop and its journal are still there."""
        self._companions.append(close)

    @property
    def executors(self) -> Sequence[Executor]:
        """Return the executors, in the order of preference."""
        return [executor for executor in self._executors if executor is not self._local]

    def describe_executors(self) -> str:
        """Return the labels of the executors, in the order of preference, for people."""
        return ", ".join(str(executor.label) for executor in self.executors)

    def enter_cell(self, cell: CellRow | None) -> None:
        """Be told which notebook cell runs from now on: it is where calls come from."""
        self._origin = None if cell is None else cell.origin
        if cell is not None:
            self._inbox.put(cell)

    # Submitting

    def submit(
        self,
        spec: AppSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        options: Options | None = None,
        directive: Directive = PYTHON,
        outputs: Sequence[File] = (),
    ) -> AppFuture[Any]:
        """Make a task of one call and return its future at once.

        Raises NotLoaded after `close`, ConfigError for options that no executor can meet, NotPicklable for a
        function that cannot travel. Arguments are looked at when the task leaves.
        """
        event, foreign = self._prepare(spec, args, kwargs, options, directive, outputs)
        future: AppFuture[Any] = event.node.future  # a task that is done lets go of it
        self._inbox.put(event)
        if not self._is_open:
            self._loop.sweep()
        if foreign:
            self._loop.watch_foreign(event.node, foreign)
        return future

    def submit_all(
        self, spec: AppSpec, calls: Iterable[tuple[Any, ...]], directive: Directive = PYTHON
    ) -> list[AppFuture[Any]]:
        """Submit many calls of one app in one go."""
        futures: list[AppFuture[Any]] = []
        batch: list[Any] = []
        for args in calls:
            event, foreign = self._prepare(spec, args, {}, None, directive, ())
            futures.append(event.node.future)
            if foreign:
                self._inbox.put(event)
                self._loop.watch_foreign(event.node, foreign)
                continue
            batch.append(event)
            if len(batch) == 256:
                self._inbox.put(batch)
                batch = []
        self._inbox.put(batch)
        if not self._is_open:
            self._loop.sweep()
        return futures

    def _prepare(
        self,
        spec: AppSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options | None,
        directive: Directive,
        outputs: Sequence[File],
    ) -> tuple[Submitted, list[Any]]:
        if not self._is_open:
            raise NotLoaded(CLOSED)
        app, usual = self._known(spec)
        options = usual if options is None else self._admit(options)
        travels = self.is_remote and spec.kind is not Kind.JOIN
        function = spec.portable.snapshot(encode=travels)
        is_simple = are_atoms(args, kwargs)
        found = None if is_simple else find_futures(self, args, kwargs)
        if found is not None or (travels and not is_simple):
            args = tuple(map(keep_arrangement, args))
            kwargs = {name: keep_arrangement(value) for name, value in kwargs.items()}
        spawner = self._local.task_of_this_thread()
        origin = (self._origin or calling_line()) if spawner is None else self._origin_of(spawner)
        call = Invocation(function, args, kwargs, directive, has_futures=found is not None, origin=origin)
        task = Task(
            TaskId(self._next_task()),
            app,
            options,
            parents=() if found is None else found.tasks,
            call=call,
            spawner=spawner,
        )
        future: AppFuture[Any] = AppFuture(self, task)
        task.future = future
        if options.memoized:
            self._loop.memory.open()
            call.recipe = spec.recipe(travels=travels)
        task.can_follow = travels and call.can_follow
        if outputs:
            future._outputs = tuple(DataFuture(self, task, file) for file in outputs)
        foreign = [] if found is None else found.foreign
        return Submitted(task.id, task, len(foreign)), foreign

    def _origin_of(self, spawner: TaskId) -> str | None:
        """Return the cell of a join task: by now another one may run."""
        task = self._loop.graph.tasks.get(spawner)
        return task.call.origin if task is not None else self._origin

    def _known(self, spec: AppSpec) -> tuple[AppId, Options]:
        seen = spec.seen
        return seen[1:] if seen is not None and seen[0] is self else self._register(spec)

    def _register(self, spec: AppSpec) -> tuple[AppId, Options]:
        if not self.is_open:
            raise NotLoaded(CLOSED)
        options = self._admit(spec.options)
        with self._registering:
            if spec.seen is None or spec.seen[0] is not self:
                app = AppId(self._next_app())
                self._specs[app] = spec
                self._inbox.put(spec.row(app))
                spec.seen = (self, app, options)
        return spec.seen[1:]

    def _admit(self, given: Options) -> Options:
        """Return options with this kernel's defaults filled in; refuse what no executor can meet."""
        options = self._admitted.get(given)
        if options is not None:
            return options
        labels = [executor.label for executor in self._executors]
        for label in given.executors:
            if label not in labels:
                known = ", ".join(repr(str(one)) for one in labels if one != self._local.label)
                raise ConfigError(f"no executor is called {str(label)!r}; this kernel has {known}")
        if not self._loop.placement.can_ever_place(given):
            need = given.resources
            raise InvalidResources(
                f"no executor has room for cores={need.cores}, memory={need.memory}, gpus={need.gpus}"
                f"{f' on {need.nodes} nodes' if need.nodes > 1 else ''}; "
                f"the largest has {self._loop.placement.describe_largest()}"
            )
        is_memoized = self._is_memoized if given.memoized is None else given.memoized
        options = self._admitted[given] = replace(
            given, retry=given.retry or self._retry, memoized=is_memoized
        )
        return options

    def derive(self, operation: str, future: AppFuture[Any], key: Any) -> AppFuture[Any]:
        """Submit a tiny task on a future's result, run in this process; `operation` is getitem or getattr."""
        return self.submit(DERIVATIONS[operation], (future, key), {})

    # Asking and steering

    def handle(self, task: Task) -> TaskHandle:
        """Return what a user may ask and do about a task."""
        return TaskHandle(self, task)

    def unfinished(self) -> list[KernelFuture[Any]]:
        """Return the futures of all tasks that are not final."""
        graph = self._loop.graph
        return self._ask(lambda: [task.future for task in graph.tasks.values() if not task.state.is_final])

    def tasks_of(self, futures: Iterable[Any]) -> set[int]:
        """Return the ids of the tasks behind futures, and of unfinished tasks that they wait for."""
        stack = [future._task for future in futures if isinstance(future, KernelFuture)]
        ids: set[int] = set()
        while stack:
            task = stack.pop()
            if task.id not in ids:
                ids.add(task.id)
                stack.extend((*task.parents, *task.children))
        return ids

    def cancel(self, tasks: Iterable[Task]) -> int:
        """Cancel tasks, and what the join apps among them have spawned; return how many were cancelled."""
        return cancel_tasks(self._loop, tasks)

    def cancel_all(self, app: str | None = None) -> int:
        """Cancel every unfinished task, or those of one app."""
        tasks = [future._task for future in self.unfinished()]
        return self.cancel(task for task in tasks if app is None or self.app_name(task) == app)

    def inputs_of(self, task: Task) -> dict[str, str]:
        """Return a short picture of each argument; nothing once the task is done and they are let go."""
        return {} if task.call is None else describe_inputs(task.call)

    def why_queued(self, task: Task) -> str | None:
        """Return what a task is waiting for, None when it is not queued."""
        placement = self._loop.placement
        return self._ask(lambda: placement.explain(task) if task.state is State.QUEUED else None)

    def app_name(self, task: Task) -> str:
        """Return the name of a task's app."""
        return self._specs[task.app].name

    def known_tasks(self) -> list[Task]:
        """Return the tasks that are not done: unfinished ones, and those that a retry may reopen."""
        graph = self._loop.graph
        return self._ask(lambda: list(graph.tasks.values()))

    def capsule(self, task: int) -> Capsule:
        """Return the record of a task's last failure. Raises NoCapsule."""
        return self._capsules.open(task)

    def why_remembered(self, task: Task) -> str | None:
        """Return whether a remembered result was used, and if not why; None where none is wanted."""
        return self._loop.memory.why(task)

    def failed(self, match: Callable[[Task], bool]) -> list[Task]:
        """Return the tasks that failed by themselves and match."""
        graph = self._loop.graph
        return self._ask(
            lambda: [task for task in graph.tasks.values() if task.state is State.FAILED and match(task)]
        )

    def retry(
        self,
        tasks: Iterable[Task],
        *,
        fn: Callable[..., Any] | None = None,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> int:
        """Run failed or cancelled tasks again, and what failed because of them; return how many reopened.

        An app that was defined again since then runs its newest definition, unless `fn` says otherwise. The
        futures of all these tasks become pending again and then resolve. Tasks that are not failed are passed
        over. Raises NotLoaded after `close`.
        """
        if not self.is_open:
            raise NotLoaded(CLOSED)
        return self._repairs.retry(tasks, fn, args, kwargs, is_remote=self.is_remote)

    def _ask(self, function: Callable[[], T]) -> T:
        return self._loop.ask(function)

    # Waiting

    def before_wait(self) -> None:
        """Be told that this thread is about to wait: if it is a thread of ours, another takes its place."""
        if self._pid != os.getpid():
            raise NotLoaded(
                "this future belongs to the process that made it; it never resolves in a forked child"
            )
        for executor in self._executors:
            if isinstance(executor, ThreadsExecutor):
                executor.grow_for_this_thread()

    def interrupted(self) -> str:
        """Return what to tell a user who stopped waiting."""
        left = len(self.unfinished())
        tasks = "1 task goes" if left == 1 else f"{left} tasks go"
        return f"nbflow: stopped waiting; {tasks} on. nbflow.cancel() cancels what is left."

    def wait(self) -> None:
        """Wait until nothing is left to do."""
        while left := self.unfinished():
            wait(left)

    # The end

    def close(self) -> int:
        """Cancel what is unfinished, end processes, threads and journal; return how many were cancelled.

        May be called twice, and from a forked child, where it only forgets.
        """
        if not self.is_open:
            self._is_open = False
            return 0
        self._is_open = False
        # Each of these happens whatever another raises: a driver that fails to close keeps nothing else open.
        with ExitStack() as endings:
            endings.callback(self.journal.close, "finished")
            endings.callback(self._usercode.close, CLOSE_SECONDS)
            endings.callback(self._capsules.close)
            endings.callback(self._loop.memory.close)
            endings.callback(self._loop.close)
            for executor in self._executors:
                endings.callback(executor.close, Exit.STOP)
            for close in self._companions:
                endings.callback(close)
            return self.cancel_all()
