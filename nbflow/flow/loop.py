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

from nbflow.core.assignment import Assignment
from nbflow.core.capacity import Capacity
from nbflow.core.effects import (
    Drop,
    Effect,
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
    Submitted,
    TryFailed,
)
from nbflow.core.graph import Graph
from nbflow.core.ids import SlotId
from nbflow.core.placement import Placement
from nbflow.core.states import Cause, State
from nbflow.core.task import Task
from nbflow.executors.protocol import (
    Executor,
    NodeDown,
    NodeDraining,
    NodeUp,
    Printed,
    Receipt,
    Recovered,
    SlotDown,
    SlotUp,
    Used,
)
from nbflow.flow.answers import Adoption, Answers, Kept
from nbflow.flow.arrivals import Arrivals
from nbflow.flow.fleet import LOOK_SECONDS, Fleet
from nbflow.flow.former.bonds import Joined
from nbflow.flow.futures.foreign import Told, watch
from nbflow.flow.futures.inputs import Found
from nbflow.flow.memory import Memory
from nbflow.flow.record import Recorder
from nbflow.flow.reuse.binding import Binding
from nbflow.flow.reuse.keeping import Keeper
from nbflow.flow.reuse.restoring import missed
from nbflow.flow.settle import settle
from nbflow.flow.timers import Timers
from nbflow.flow.usercode import UserCode
from nbflow.journal.rows import AppRow, CellRow
from nbflow.journal.writer import Journal
from nbflow.wire.messages import Call

__all__ = ["FlowLoop"]

log = logging.getLogger(__name__)
T = TypeVar("T")

TURN_LIMIT = 2000
"""Messages taken in one turn, so that a fast caller does not keep slots waiting."""


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
        self.placement = Placement()
        self.fleet = Fleet(self.placement)
        self.memory = Memory(self.inbox.put)
        self._journal = journal
        self._recorder = Recorder(journal)
        self.graph = Graph(self._recorder.note)
        self.keeper = Keeper(journal.run, self.inbox.put, new_found, self.fleet.is_held)
        self.binding = Binding(journal.run, self.graph, self.keeper, self.ask)
        self._usercode = usercode
        arrivals = self._arrivals = Arrivals(
            self.graph,
            self.placement,
            self.memory,
            self.keeper,
            usercode,
            apply=self._apply,
            adopt=self._adopt,
            sign=lambda receipt: journal.when_written(receipt.sign),
            post=self.inbox.put,
            new_found=new_found,
            record_failure=record_failure,
        )
        self._timers = Timers()
        self._now = 0.0
        self._is_open = True
        self._is_left = False
        self._sweeping = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nbflow-flow", daemon=True)
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            list: self._handle_all,
            Submitted: self._submitted,
            Returned: arrivals.returned,
            TryFailed: arrivals.try_failed,
            Told: self._told,
            RetryDue: self._apply,
            MemoHit: arrivals.keep,
            MemoMissed: self._apply,
            Kept: arrivals.kept,
            Answers: arrivals.take_answers,
            Printed: self._recorder.printed,
            Used: self._recorder.used,
            AppRow: self._recorder.app,
            CellRow: self._recorder.cell,
            **dict.fromkeys(
                (SlotUp, SlotDown, NodeUp, NodeDraining, NodeDown),
                lambda change: self.fleet.take_in(change, self._now),
            ),
            Recovered: lambda one: None,
            Receipt: arrivals.receipt,
            _Ask: self._answer,
        }
        self._effects: dict[type[Any], Callable[[Any], None]] = {
            Enqueue: lambda effect: self.placement.enqueue(effect.task),
            Resolve: self._resolve,
            Reject: self._end_without,
            Withdraw: self._end_without,
            LookUp: lambda effect: arrivals.look_up(effect.task),
            Remember: lambda effect: None,  # it was kept before its task could end: see Arrivals
            Reopen: self._reopen,
            WakeLater: self._wake_later,
            Drop: lambda effect: self.fleet.drop(effect.task.id, effect.try_id, self._now),
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

    def leave(self) -> None:
        """End the thread; what is left stays as it is, for the next process."""
        self._is_left = True
        self.close()

    def sweep(self) -> None:
        """Cancel all that is left, and what was posted too late; wait for the thread's end before.

        Who posts and then finds the loop closed calls this: so no future stays pending, whoever was faster.
        """
        if threading.current_thread() is self._thread:
            return
        self._thread.join()
        if self._is_left:
            return
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

    def perform(self, effects: Iterable[Effect]) -> None:
        """Do what the graph asked for outside `apply`; only from a function given to `ask`."""
        for effect in effects:
            self._effects[type(effect)](effect)

    def handle(self, kind: type[Any], handler: Callable[[Any], None]) -> Callable[[Any], None]:
        """Have a kind of message or effect handled otherwise from now on; return what did it until now."""
        handlers = self._effects if kind in self._effects else self._handlers
        before, handlers[kind] = handlers[kind], handler
        return before

    def open_executor(self, executor: Executor, capacity: Capacity, *, is_default: bool) -> None:
        """Give tasks to an executor that has started; only from a function given to `ask`."""
        self.fleet.open(executor, capacity, self._now, is_default=is_default)

    # The loop's thread

    def _run(self) -> None:
        inbox = self.inbox
        while self._is_open:
            try:
                item = inbox.get(timeout=self._patience())
            except Empty:
                item = []
            self._now = self._arrivals.now = time.monotonic()
            self._recorder.now = time.time()
            self._handle_all([item])
            self._handle_all(inbox.get() for _ in range(min(inbox.qsize(), TURN_LIMIT)))
            self._handle_all(self._timers.take(self._now))
            try:
                self._dispatch()
            except Exception:
                log.exception("nbflow could not dispatch")
            self.memory.commit()
            self.keeper.commit()
            self._journal.commit()

    def _patience(self) -> float | None:
        wait = self._timers.wait(time.monotonic())
        if self.fleet.is_busy:
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
            if join is not None and (join.state, join.try_id) != (State.RUNNING, event.spawner_try):
                # Cancelled, undone or out of time, and its body runs on in a thread that cannot be stopped:
                # what that starts ends here.
                self._apply(CancelRequested(event.task))

    # What executors report

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
            if self.fleet.is_durable(assignment.executor) and self.keeper.is_open:
                self.keeper.note_sent(assignment.slot, assignment.tasks)
            self._send(assignment, calls)
        self.fleet.look_after(self._now)

    def _send(self, assignment: Assignment, calls: list[Call]) -> None:
        try:
            self.fleet.send(assignment, calls)
        except Exception as error:
            log.exception("executor %s could not take a bundle", assignment.executor)
            self._handle_all(TryFailed(call.task, call.try_id, Cause.RAISED, error) for call in calls)

    def _adopt(self, adoption: Adoption) -> None:
        """Have a task end as the try will that a former kernel sent away."""
        task, sent = adoption.task, adoption.sent
        if task.state is State.READY and self.fleet.adopt(sent, task.call.call(task.id, task.try_id)):
            task.bond = sent
            why = f"it has run there since run {sent.run}, as task {sent.task}"
            self._apply(Dispatched(task.id, task.try_id, SlotId(sent.slot), why))
        else:
            self._apply(missed(task))

    def _resolve(self, effect: Resolve) -> None:
        bond = effect.task.bond
        if type(bond) is Joined:
            bond.close(self.keeper.run)
        settle(effect.task, self._usercode)

    def _end_without(self, effect: Reject | Withdraw) -> None:
        if effect.task.options.memoized:
            self.memory.release(effect.task)
        if self.keeper.has_followers:
            self.keeper.release(effect.task)
        settle(effect.task, self._usercode)

    def _wake_later(self, effect: WakeLater) -> None:
        task = effect.task
        self._timers.add(self._now + effect.delay, RetryDue(task.id, task.try_id))

    def _reopen(self, effect: Reopen) -> None:
        future = effect.task.future
        for one in (future, *future._outputs):
            one._reopen()
