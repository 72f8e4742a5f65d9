"""Own the one thread that feeds events to the core and does what it asks for.

Callers, executors and timers only post. Each turn takes what has come, applies it, sends what can leave, and
hands the rows to the journal. The loop runs no user's code, waits for no I/O, and no user thread waits on a
lock of its.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, final

from nbflow.core.effects import (
    Drop,
    Enqueue,
    LookUp,
    Reject,
    Remember,
    Reopen,
    Resolve,
    WakeLater,
    Withdraw,
)
from nbflow.core.events import (
    CancelRequested,
    Dispatched,
    Event,
    MemoHit,
    MemoMissed,
    RetryDue,
    Returned,
    Spawned,
    Submitted,
    TryFailed,
)
from nbflow.core.graph import Graph, waits_for
from nbflow.core.ids import ExecutorId
from nbflow.core.placement import Assignment, Capacity, Placement
from nbflow.core.retry import Decision, is_free
from nbflow.core.states import Cause, State
from nbflow.core.task import Task
from nbflow.errors import JoinError
from nbflow.executors.protocol import (
    Elastic,
    Executor,
    NodeDown,
    NodeDraining,
    NodeUp,
    Printed,
    SlotDown,
    SlotUp,
)
from nbflow.flow.foreign import Told, watch
from nbflow.flow.inputs import Found
from nbflow.flow.memory import Kept, Memory
from nbflow.flow.record import Recorder
from nbflow.flow.settle import settle
from nbflow.flow.timers import Timers
from nbflow.flow.usercode import UserCode
from nbflow.journal.rows import AppRow, CellRow
from nbflow.journal.writer import Journal
from nbflow.wire.messages import Call, Kind

__all__ = ["FlowLoop"]

log = logging.getLogger(__name__)
T = TypeVar("T")

TURN_LIMIT = 2000
"""Messages taken in one turn, so that a fast caller does not keep slots waiting."""

LOOK_SECONDS = 0.5
"""How often a busy loop looks for tasks that wait behind a slow one."""

DEMAND_SECONDS = 1.0
"""How often an elastic executor is told what is wanted, while something is."""


@final
class _Ask(Future[Any]):
    """A question that the loop answers in its own thread, between two events."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__()
        self.function = function


@final
class FlowLoop:
    """Run the graph of one dataflow kernel."""

    def __init__(
        self,
        journal: Journal,
        usercode: UserCode,
        new_found: Callable[[], Found],
        record_failure: Callable[[Task, TryFailed], None],
    ) -> None:
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.executors: dict[ExecutorId, Executor] = {}
        # Who it is, whether anything was wanted of it when it was last told, and when it is told again.
        self._elastic: dict[ExecutorId, tuple[Elastic, bool, float]] = {}
        self._early: list[NodeUp] = []
        self._next_look = 0.0
        self.placement = Placement()
        self.memory = Memory(self.inbox.put)
        self._journal = journal
        self._recorder = Recorder(journal)
        self.graph = Graph(self._recorder.note)
        self._usercode = usercode
        self._new_found = new_found
        self._record_failure = record_failure
        self._timers = Timers()
        self._now = 0.0
        self._is_open = True
        self._sweeping = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nbflow-flow", daemon=True)
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            list: self._handle_all,
            Submitted: self._submitted,
            Returned: self._returned,
            TryFailed: self._try_failed,
            Told: self._told,
            RetryDue: self._apply,
            MemoHit: self._apply,
            MemoMissed: self._apply,
            Kept: lambda kept: self._apply(kept.event),
            Printed: self._recorder.printed,
            AppRow: self._recorder.app,
            CellRow: self._recorder.cell,
            SlotUp: lambda up: self.placement.open_slot(up.executor, up.slot, up.node),
            SlotDown: self._slot_down,
            NodeUp: self._node_up,
            NodeDraining: lambda one: self.placement.drain_node(one.executor, one.node),
            NodeDown: lambda one: self.placement.close_node(one.executor, one.node),
            _Ask: self._answer,
        }
        self._effects: dict[type[Any], Callable[[Any], None]] = {
            Enqueue: lambda effect: self.placement.enqueue(effect.task),
            Resolve: lambda effect: settle(effect.task, self._usercode),
            Reject: self._end_without,
            Withdraw: self._end_without,
            LookUp: lambda effect: self.memory.look_up(effect.task),
            Remember: lambda effect: None,  # it was kept before its task could end: see _returned
            Reopen: self._reopen,
            WakeLater: self._wake_later,
            Drop: self._drop,
        }

    # From any thread

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask(self, function: Callable[[], T]) -> T:
        """Run `function()`, one of ours, in the loop's thread; return or raise what it does."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            return function()
        question = _Ask(function)
        self.inbox.put(question)
        if not self._is_open:
            self.sweep()
        return question.result()  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the thread after what was posted before."""

        def stop() -> None:
            self._is_open = False

        self.ask(stop)
        self.sweep()

    def sweep(self) -> None:
        """Cancel all that is left, and what was posted too late; wait for the thread's end before.

        Who posts and then finds the loop closed calls this: so no future stays pending, whoever was faster.
        """
        if threading.current_thread() is self._thread:
            return
        self._thread.join()
        with self._sweeping:
            while not self.inbox.empty():
                self._handle_all([self.inbox.get()])
            left = [task for task in self.graph.tasks.values() if not task.state.is_final]
            for task in left:
                self._apply(CancelRequested(task.id))
            self._journal.commit()

    def apply(self, event: Event) -> None:
        """Apply one event; only from a function given to `ask`."""
        self._apply(event)

    def open_executor(self, executor: Executor, capacity: Capacity, *, is_default: bool) -> None:
        """Give tasks to an executor that has started; only from a function given to `ask`."""
        self.executors[executor.label] = executor
        self.placement.open_pool(executor.label, capacity, is_default=is_default)
        if isinstance(executor, Elastic):
            self._elastic[executor.label] = executor, False, 0.0
        early, self._early = self._early, []
        for up in early:
            self._node_up(up)

    # The loop's thread

    def _run(self) -> None:
        inbox = self.inbox
        while self._is_open:
            try:
                item = inbox.get(timeout=self._patience())
            except Empty:
                item = []
            self._now = time.monotonic()
            self._recorder.now = time.time()
            self._handle_all([item])
            self._handle_all(inbox.get() for _ in range(min(inbox.qsize(), TURN_LIMIT)))
            self._handle_all(self._timers.take(self._now))
            try:
                self._dispatch()
            except Exception:
                log.exception("nbflow could not dispatch")
            self._journal.commit()

    def _patience(self) -> float | None:
        wait = self._timers.wait(time.monotonic())
        if self.placement.is_busy() or any(is_wanted for _, is_wanted, _ in self._elastic.values()):
            return LOOK_SECONDS if wait is None else min(wait, LOOK_SECONDS)
        return wait

    def _handle_all(self, items: Iterable[Any]) -> None:
        handlers = self._handlers
        for item in items:
            try:
                handlers[type(item)](item)
            except Exception:
                # A defect of ours must not end every other task of the run.
                log.exception("nbflow could not handle %r", item)

    def _answer(self, question: _Ask) -> None:
        try:
            question.set_result(question.function())
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked
            question.set_exception(error)

    def _apply(self, event: Event) -> None:
        for effect in self.graph.apply(event):
            self._effects[type(effect)](effect)

    def _told(self, told: Told) -> None:
        if told.is_heard:
            self._apply(told.event)

    def _submitted(self, event: Submitted) -> None:
        self._apply(event)
        spawner = event.node.spawner
        if spawner is not None:
            join = self.graph.tasks.get(spawner)
            if join is not None and join.state is State.CANCELLED:
                # Its body runs on in a thread that cannot be stopped; what it starts ends here.
                self._apply(CancelRequested(event.task))

    # What executors report

    def _slot_down(self, down: SlotDown) -> None:
        self.placement.close_slot(down.slot)

    def _node_up(self, up: NodeUp) -> None:
        if up.executor not in self.executors:  # it came while its executor was starting
            self._early.append(up)
            return
        self.placement.open_node(
            up.executor, up.node, up.block, up.slots, up.total, now=self._now, until=up.until
        )

    def _returned(self, event: Returned) -> None:
        executor = self.placement.release(event.task, event.try_id, self._now)
        task = self.graph.tasks.get(event.task)
        if task is None or task.try_id != event.try_id:
            return
        if executor is not None:
            self.placement.learn(task.app, event.seconds, executor)
        if task.call.directive.kind is Kind.JOIN:
            self._apply(self._join(task, event))
        elif task.options.memoized:
            self.memory.keep(task, event)
        else:
            self._apply(event)

    def _try_failed(self, event: TryFailed) -> None:
        self.placement.release(event.task, event.try_id, self._now)
        task = self.graph.tasks.get(event.task)
        if task is None or not _counts(task, event):
            self._apply(event)
            return
        if event.verdict is None:
            self._record_failure(task, event)
        policy = task.options.retry
        if policy is None or policy.handler is None or event.verdict is not None:
            self._apply(event)
            return

        def judge() -> None:
            # What stands when the handler ends its thread, by sys.exit for one: the task must end somehow.
            event.verdict = Decision.FAIL
            try:
                event.verdict = policy.judge(event.error, task.future.task)
            finally:
                self.inbox.put(event)

        self._usercode.run(judge)

    def _join(self, task: Task, event: Returned) -> Event:
        found = self._new_found()
        found.look_into(event.value)
        if waits_for(found.tasks, task):
            error = JoinError(
                f"join app task {task.id} returned a future that waits for this very task: that never ends. "
                "Return futures of tasks that do not take this one's result.",
                task=task.id,
            )
            return TryFailed(event.task, event.try_id, Cause.RAISED, error, seconds=event.seconds)
        self.watch_foreign(task, found.foreign)
        return Spawned(
            event.task, event.try_id, event.value, found.tasks, len(found.foreign), seconds=event.seconds
        )

    def watch_foreign(self, task: Task, futures: list[Future[Any]]) -> None:
        """Tell the task when futures of others end; from any thread, after the event that counts them."""
        if futures:
            watch(task, futures, self.inbox.put)

    # What the core asks for

    def _dispatch(self) -> None:
        for assignment in self.placement.assign(self._now):
            calls = []
            for task in assignment.tasks:
                self.graph.apply(Dispatched(task.id, task.try_id, assignment.slot, assignment.why))
                spec = task.call
                calls.append(spec.call(task.id, task.try_id))
            if assignment.grant is not None:
                calls[0].grant = assignment.grant
            self._send(assignment, calls)
        if self._now >= self._next_look:
            self._next_look = self._now + LOOK_SECONDS
            for executor, tries in self.placement.stalled(self._now):
                self.executors[executor].recall(tries)
        if self._elastic:
            self._tell_demand()

    def _tell_demand(self) -> None:
        """Tell elastic executors what is wanted: now and then, and when it begins and ends."""
        for label, (executor, was_wanted, due) in self._elastic.items():
            is_wanted = self.placement.is_wanted(label)
            if is_wanted is not was_wanted or (is_wanted and self._now >= due):
                self._elastic[label] = executor, is_wanted, self._now + DEMAND_SECONDS
                self.placement.expect(label, executor.wait_seconds)
                executor.demand(self.placement.outlook(label, self._now))

    def _send(self, assignment: Assignment, calls: list[Call]) -> None:
        try:
            self.executors[assignment.executor].send(assignment.slot, calls)
        except Exception as error:
            log.exception("executor %s could not take a bundle", assignment.executor)
            self._handle_all(TryFailed(call.task, call.try_id, Cause.RAISED, error) for call in calls)

    def _drop(self, effect: Drop) -> None:
        key = (effect.task.id, effect.try_id)
        executor = self.placement.executor_of(*key)
        if executor is not None:
            self.executors[executor].drop([key])
            self.placement.release(*key, self._now)

    def _end_without(self, effect: Reject | Withdraw) -> None:
        if effect.task.options.memoized:
            self.memory.release(effect.task)
        settle(effect.task, self._usercode)

    def _wake_later(self, effect: WakeLater) -> None:
        task = effect.task
        self._timers.add(self._now + effect.delay, RetryDue(task.id, task.try_id))

    def _reopen(self, effect: Reopen) -> None:
        future = effect.task.future
        for one in (future, *future._outputs):
            one._reopen()


def _counts(task: Task, event: TryFailed) -> bool:
    """Tell whether the failure is about what the task does now, and its own: then a handler is asked."""
    is_current = task.try_id == event.try_id and not task.state.is_final and not task.awaiting
    return is_current and not is_free(event.cause, alone=event.alone)
