"""Own what becomes of results and failures before the graph is told: they are kept, joined, judged.

Some of it takes a thread beside the loop (a disk, a user's code); what comes back from there goes on here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from nbflow.core.events import Event, MemoHit, MemoMissed, Returned, Spawned, TryFailed
from nbflow.core.graph import Graph, waits_for
from nbflow.core.placement import Placement
from nbflow.core.retry import Decision, is_free
from nbflow.core.states import Cause, State
from nbflow.core.task import Task
from nbflow.errors import JoinError
from nbflow.executors.protocol import Receipt
from nbflow.flow.answers import Adoption, Answers, Joining, Kept
from nbflow.flow.former.past import Sent
from nbflow.flow.futures.foreign import watch
from nbflow.flow.futures.inputs import Found
from nbflow.flow.memory import Memory
from nbflow.flow.reuse.keeping import Keeper
from nbflow.flow.reuse.shelf import Shelf
from nbflow.flow.usercode import UserCode
from nbflow.wire.messages import Kind

__all__ = ["Arrivals"]

log = logging.getLogger(__name__)


@final
class Arrivals:
    """Take what came of tries, in the loop's thread, and `apply` it. `now` is when (monotonic clock)."""

    def __init__(
        self,
        graph: Graph,
        placement: Placement,
        memory: Memory,
        keeper: Keeper,
        usercode: UserCode,
        *,
        apply: Callable[[Event], None],
        adopt: Callable[[Adoption], None],
        sign: Callable[[Receipt], None],
        post: Callable[[Any], None],
        new_found: Callable[[], Found],
        record_failure: Callable[[Task, TryFailed], None],
    ) -> None:
        self.now = 0.0
        self._graph = graph
        self._placement = placement
        self._memory = memory
        self._keeper = keeper
        self._usercode = usercode
        self._apply = apply
        self._post = post
        self._new_found = new_found
        self._record_failure = record_failure
        self._go_on: dict[type[Any], Callable[[Any], None]] = {
            Returned: apply,
            MemoHit: apply,
            MemoMissed: self._unbound,
            TryFailed: self._judge,
            Joining: self._joining,
            Adoption: adopt,
            Receipt: sign,
        }
        self._past: dict[type[Any], Callable[[Any], None]] = {
            Returned: self.keep,
            Receipt: self._past_memory,
        }

    def returned(self, event: Returned) -> None:
        """Take what a try returned."""
        executor = self._placement.release(event.task, event.try_id, self.now)
        task = self._graph.tasks.get(event.task)
        if task is None or task.try_id != event.try_id:
            return
        if executor is not None:
            self._placement.learn(task.app, event.seconds, executor)
        if task.options.memoized:
            self._memory.keep(event)
        else:
            self.keep(event)

    def keep(self, event: Returned | MemoHit | TryFailed) -> None:
        """Have a result on disk before anybody sees it; what was sent ahead must not overtake its parents."""
        task = self._graph.tasks.get(event.task)
        if task is not None and self._keeper.is_open and (task.call.form is not None or task.awaiting):
            self._keeper.keep(task, event)
        elif task is not None and type(event) is Returned and task.call.directive.kind is Kind.JOIN:
            self._joining(Joining(event))
        else:
            self._go_on[type(event)](event)

    def receipt(self, receipt: Receipt) -> None:
        """Let a receipt go the way of the results that it is about, behind them."""
        if self._memory.is_open:
            self._memory.pass_on(receipt)
        else:
            self._past_memory(receipt)

    def kept(self, kept: Kept) -> None:
        """Go on with what the memory has dealt with."""
        _handle_each(kept.events, self._past)

    def _past_memory(self, receipt: Receipt) -> None:
        if self._keeper.is_open:
            self._keeper.pass_on(receipt)
        else:
            self._go_on[Receipt](receipt)

    def take_answers(self, answers: Answers) -> None:
        """Go on with what the keeper has dealt with."""
        _handle_each(answers.events, self._go_on)

    def _joining(self, joining: Joining) -> None:
        event = joining.event
        task = self._graph.tasks.get(event.task)
        if task is not None and task.try_id == event.try_id:
            self._apply(self._join(task, event))

    def look_up(self, task: Task) -> None:
        """See whether earlier work stands for a task: of the same call, else of an equal one."""
        if type(task.bond) is Shelf:
            self._keeper.look_up(task)
            return
        task.bond = None
        if task.options.memoized:
            self._memory.look_up(task)
        else:
            self._apply(MemoMissed(task.id, task.try_id))

    def _unbound(self, event: MemoMissed) -> None:
        task = self._graph.tasks.get(event.task)
        if task is not None and task.options.memoized and task.state is State.READY:
            self._memory.look_up(task)
        else:
            self._apply(event)

    def try_failed(self, event: TryFailed) -> None:
        """Take that a try failed; a user's handler is asked what to do, where there is one."""
        if event.cause is Cause.EXPIRED and (
            had := self._placement.time_had(event.task, event.try_id, self.now)
        ):
            event.seconds, event.lifetime = had
        self._placement.release(event.task, event.try_id, self.now)
        task = self._graph.tasks.get(event.task)
        if task is not None and type(task.bond) is Sent:
            task.bond = None  # what comes of another try has another name
        if task is not None and task.awaiting:
            self.keep(event)
        else:
            self._judge(event)

    def _judge(self, event: TryFailed) -> None:
        task = self._graph.tasks.get(event.task)
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
                self._post(event)

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
        if found.foreign:
            watch(task, found.foreign, self._post)
        return Spawned(
            event.task, event.try_id, event.value, found.tasks, len(found.foreign), seconds=event.seconds
        )


def _handle_each(events: Iterable[Any], handlers: Mapping[type[Any], Callable[[Any], None]]) -> None:
    for event in events:
        try:
            handlers[type(event)](event)
        except Exception:
            # A defect of ours must not end what comes behind it.
            log.exception("nbflow could not handle %r", event)


def _counts(task: Task, event: TryFailed) -> bool:
    """Tell whether the failure is about what the task does now, and its own: then a handler is asked."""
    is_current = task.try_id == event.try_id and not task.state.is_final and not task.awaiting
    return is_current and not is_free(event.cause, alone=event.alone)
