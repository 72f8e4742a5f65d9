"""Own one run: the graph of this notebook or script, the executors it may use, its journal.

Everything here is called from users' threads. What concerns the graph is posted to the loop, or asked of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import wait
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, final

from nbflow.core.events import Submitted
from nbflow.core.ids import TaskId
from nbflow.core.task import Options, Task
from nbflow.data.file import File
from nbflow.errors import NotLoaded
from nbflow.executors.protocol import Durable, Executor
from nbflow.executors.threads import ThreadsExecutor
from nbflow.flow.admission import Admission, Defaults
from nbflow.flow.cancelling import cancel_tasks
from nbflow.flow.capsules import Capsules
from nbflow.flow.ending import close_all, leave_all
from nbflow.flow.excuses import explain_standstill, explain_waiting
from nbflow.flow.former.bonds import why_bound
from nbflow.flow.former.past import NOBODY, Lineage
from nbflow.flow.futures.describe import describe_arguments
from nbflow.flow.futures.future import LOOK_SECONDS, AppFuture, DataFuture, KernelFuture
from nbflow.flow.futures.handle import TaskHandle
from nbflow.flow.futures.inputs import Found, Invocation, are_atoms, find_futures, keep_arrangement
from nbflow.flow.internal import DERIVATIONS
from nbflow.flow.loop import FlowLoop
from nbflow.flow.origin import calling_line
from nbflow.flow.pausing import Pauses
from nbflow.flow.repair import Repairs
from nbflow.flow.request import AS_IT_IS, Request
from nbflow.flow.reuse.shelf import Source
from nbflow.flow.spec import AppSpec
from nbflow.flow.standin import stand_in
from nbflow.flow.usercode import UserCode
from nbflow.journal.places import notebook
from nbflow.journal.rows import CellRow
from nbflow.journal.writer import Journal
from nbflow.postmortem.capsule import Capsule
from nbflow.wire.messages import PYTHON, Directive, Kind
from nbflow.wire.secrecy import secret_places

__all__ = ["DataFlowKernel"]

T = TypeVar("T")

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
        defaults: Defaults,
        *,
        lineage: Lineage = NOBODY,
    ) -> None:
        self.journal = journal
        self.run_id = journal.run
        self.run_dir = run_dir
        self.is_remote = any(executor.is_remote for executor in executors)
        self._origin: str | None = None
        self._next_task = count(1).__next__
        self._usercode = UserCode()
        self._capsules = Capsules(journal.run, run_dir, lambda app: self.admission.specs[app])
        self._loop = FlowLoop(journal, self._usercode, lambda: Found(self), self._capsules.keep)
        self._inbox = self._loop.inbox
        self.memory = self._loop.memory
        self.binding = self._loop.binding
        self.admission = Admission(defaults, self._loop.placement, self._inbox.put)
        self._repairs = Repairs(self, self._loop, self.admission)
        self.pauses = Pauses(self._loop, self.admission.specs)
        self._executors: list[Executor] = []
        self._companions: list[Callable[[], object]] = []
        self._local = local
        self._is_open = True
        self._pid = os.getpid()
        self._loop.start()
        try:
            self.binding.open(lineage)
            for executor in executors:
                self._open(executor, is_default=True)
            self._open(local, is_default=False)
        except BaseException:
            self.close()
            raise

    def _open(self, executor: Executor, *, is_default: bool) -> None:
        self._executors.append(executor)
        if isinstance(executor, Durable):
            executor.belong(self.run_id, notebook())
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
        self.binding.enter(cell)
        if cell is not None:
            self._inbox.put(cell)

    def begin_anew(self) -> None:
        """Let nothing stand for calls from here on that was finished, or is under way; stop what goes on."""
        self.binding.begin_anew()
        self._ask(self._loop.fleet.disown)

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
        app, usual = self.admission.known(spec)
        options = usual if options is None else self.admission.admit(options)
        travels = self.is_remote and spec.kind is not Kind.JOIN
        function = spec.portable.snapshot(encode=travels)
        is_simple = are_atoms(args, kwargs)
        found = None if is_simple else find_futures(self, args, kwargs)
        if found is not None or (travels and not is_simple):
            args = tuple(map(keep_arrangement, args))
            kwargs = {name: keep_arrangement(value) for name, value in kwargs.items()}
        spawner = spawner_try = None
        if (body := self._local.call_of_this_thread()) is None:
            origin, source = self._origin or calling_line(), self.binding.source
        else:
            spawner, spawner_try = body.task, body.try_id
            origin, source = self._origin_under(spawner)
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
        task.can_follow = travels and call.can_follow
        found_foreign = found is not None and found.foreign
        self.binding.sign(
            task, spec, function, None if found_foreign else source, is_simple=is_simple, travels=travels
        )
        if options.memoized:
            self.memory.open()
        if outputs:
            future._outputs = tuple(DataFuture(self, task, file) for file in outputs)
        foreign = [] if found is None else found.foreign
        return Submitted(task.id, task, len(foreign), spawner_try), foreign

    def _origin_under(self, spawner: TaskId) -> tuple[str | None, Source | None]:
        """Return the cell of a join task, and the source of its calls: by now another cell may run."""
        task = self._loop.graph.tasks.get(spawner)
        return (self._origin, None) if task is None else (task.call.origin, self.binding.source_under(task))

    def derive(self, operation: str, future: AppFuture[Any], key: Any) -> AppFuture[Any]:
        """Submit a tiny task on a future's result, run in this process; `operation` is getitem or getattr."""
        if (planner := stand_in()) is not None:
            return planner.derive(operation, future, key)
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
        call = task.call
        if call is None or call.function is None:
            return {}
        return describe_arguments(call.args, call.kwargs, secret_places(call.function.fn))

    def why_waiting(self, task: Task) -> str | None:
        """Return what keeps a task that is queued, paused or held; None for any other."""
        return self._ask(lambda: explain_waiting(self._loop.placement, self._executors, task))

    def app_name(self, task: Task) -> str:
        """Return the name of a task's app."""
        return self.admission.specs[task.app].name

    def known_tasks(self) -> list[Task]:
        """Return the tasks that are not done: unfinished ones, and those that a retry may reopen."""
        graph = self._loop.graph
        return self._ask(lambda: list(graph.tasks.values()))

    def capsule(self, task: int) -> Capsule:
        """Return the record of a task's last failure. Raises NoCapsule."""
        return self._capsules.open(task)

    def why_remembered(self, task: Task) -> str | None:
        """Return whether an earlier result was used, and if not why; None where none is wanted."""
        return why_bound(task) or self.memory.why(task)

    def retry(self, tasks: Iterable[Task], request: Request = AS_IT_IS) -> int:
        """Run failed or cancelled tasks again, and what failed because of them; return how many reopened.

        An app that was defined again since then runs its newest definition, unless the request says
        otherwise. The futures of all these tasks become pending again and then resolve. Tasks that are not
        failed are passed over. Raises NotLoaded after `close`.
        """
        self._check_open()
        return self._repairs.retry(tasks, request, is_remote=self.is_remote)

    def skip(self, tasks: Iterable[Task], value: Any, *, by: str = "Python") -> int:
        """Let failed tasks be done with `value`, and what waited for them go on; return how many reopened."""
        self._check_open()
        return self._repairs.skip(tasks, value, by)

    def undo(self, *, by: str = "Python") -> int:
        """Let the tasks of the last retry end as they had ended before it; return how many there are."""
        self._check_open()
        return self._repairs.undo(by)

    def release(self, tasks: Iterable[Task] | None = None) -> int:
        """Hold tasks no longer: all, or these and what waits for these; return how many end by it."""
        return self._repairs.release(tasks)

    def _check_open(self) -> None:
        if not self.is_open:
            raise NotLoaded(CLOSED)

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
        is_told = False
        while left := self.unfinished():
            if not wait(left, LOOK_SECONDS).done and not is_told:
                kept = self._ask(lambda: explain_standstill(self._loop.graph.tasks.values()))
                if kept is not None:
                    is_told = True
                    sys.stderr.write(f"nbflow: {kept}\n")

    # The end

    def leave(self) -> None:
        """End what is in this process, for the next one of this notebook: nothing is cancelled.

        What durable executors run goes on, and its tasks stay as they are in the journal.
        """
        self._is_open = False
        leave_all(self._companions, self._executors, self._loop, self._capsules, self.journal)

    def close(self) -> int:
        """Cancel what is unfinished, end processes, threads and journal; return how many were cancelled.

        May be called twice, and from a forked child, where it only forgets.
        """
        if not self.is_open:
            self._is_open = False
            return 0
        self._is_open = False
        return close_all(
            self.cancel_all,
            self._companions,
            self._executors,
            self._loop,
            self._capsules,
            self._usercode,
            self.journal,
        )
