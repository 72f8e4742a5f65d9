"""Own what a pool of worker processes does: feed them, hear them, end them, replace them.

It lives in one thread; commands come through an inbox, happenings leave through `post`. Encoding and
decoding, which may run a user's code, happen in here, and never in the thread that sends. What needs neither
a user's code nor waiting may be sent from that thread, while this one waits.
"""

from __future__ import annotations

import itertools
import math
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, final

from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.states import Cause
from nbflow.errors import TaskError
from nbflow.wire.bundles import GivenBack, Outcome, Outcomes, Report
from nbflow.wire.messages import Call
from nbflow.worker.answers import answers_for, failures
from nbflow.worker.call import seconds_allowed
from nbflow.worker.happenings import Exit, Happening, Post, SlotDown, SlotUp, Try
from nbflow.worker.inbox import Inbox
from nbflow.worker.losses import OomWatch, closed, never_started, reason_of, recalled
from nbflow.worker.outcomes import failed_by, happenings_of
from nbflow.worker.process import Ending, WorkerProcess
from nbflow.worker.vacancy import STARTS, Vacancy, vacancy_after

__all__ = ["Order", "Supervisor"]

ANSWER_SECONDS = 0.3
"""How long a worker may take to answer a recall; one that is deep in C code does not answer at all."""
GOODBYE_SECONDS = 2.0
"""How long a worker that was asked to stop may take: its exit handlers, its last threads."""


@final
class Supervisor:
    """Keep a number of worker processes at work."""

    def __init__(self, label: ExecutorId, workers: int, post: Post, inbox: Inbox[Order]) -> None:
        self._label = label
        self._workers = workers
        self._post = post
        self._inbox = inbox
        self._acting = threading.Lock()
        self._numbers = itertools.count(1)
        self._crew: dict[SlotId, WorkerProcess] = {}
        self._vacant: dict[SlotId, Vacancy] = {}
        self._broken: dict[SlotId, tuple[str, str]] = {}
        self._news: list[Happening] = []
        self._selector = selectors.DefaultSelector()
        self._oom = OomWatch()
        self._exit: Exit | None = None
        self.slots: Final = tuple(self._new_slot() for _ in range(workers))

    def run(self) -> None:
        """Serve until told to close; then nothing of the pool is left."""
        self._selector.register(self._inbox, selectors.EVENT_READ)
        try:
            with self._acting:
                for slot in self.slots:
                    self._start(slot)
            while self._exit is None or self._crew or self._vacant:
                self._turn()
        finally:
            # Also when there is a mistake in here: every call gets its answer.
            self._inbox.close()
            with self._acting:
                self._close_all()
                for order in self._inbox.take():
                    order(self)
            self._publish()

    def send_now(self, slot: SlotId, calls: Sequence[Call]) -> bool:
        """Send calls to a slot from any thread, at once, if that needs neither waiting nor a user's code.

        Returns whether they were sent. It saves short calls the way through another thread, a fifth of
        their round trip.
        """
        if self._inbox or not self._acting.acquire(blocking=False):
            return False
        try:
            worker = self._crew.get(slot)
            if worker is None or self._exit is not None or not worker.takes_more:
                return False
            if any(call.directive.walltime is not None for call in calls) or not worker.send_plain(calls):
                return False
            if worker.has_output:
                self._inbox.put(lambda supervisor: supervisor._watch(worker))
            return True
        finally:
            self._acting.release()

    # Orders

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Give calls to a slot, after those that it has."""
        if slot in self._crew:
            worker = self._crew[slot]
            worker.backlog.extend(calls)
            self._feed(worker)
        elif slot in self._vacant:
            self._vacant[slot].backlog.extend(calls)
        elif slot in self._broken:
            self._refuse(slot, calls)
        elif self._exit is not None:
            self._fail(calls, Cause.LOST, closed)
        else:  # it went down while they were on their way
            self._fail(calls, Cause.RECALLED, recalled)

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started."""
        for worker, wanted in self._whereabouts(set(tries)):
            self._ask_back(worker, wanted)

    def drop(self, tries: Collection[Try]) -> None:
        """Stop the tries; nothing is reported for them."""
        for worker, wanted in self._whereabouts(set(tries), is_silent=True):
            worker.dropped |= wanted
            if self._ask_back(worker, wanted):
                worker.expect_answer(ANSWER_SECONDS)

    def close(self, how: Exit) -> None:
        """End all workers, now or when they have done what they have in hand."""
        self._exit = how
        if how is Exit.STOP:
            for slot in list(self._vacant):
                self._fail(self._vacant.pop(slot).backlog, Cause.LOST, closed)
            for worker in self._crew.values():
                worker.end(Ending.CLOSED)
            return
        for slot in [slot for slot, vacancy in self._vacant.items() if not vacancy.backlog]:
            del self._vacant[slot]
        for worker in self._crew.values():
            self._say_goodbye(worker)

    def abandon(self) -> None:
        """Close all sockets of this process: a forked child, which must not keep the workers alive."""
        for worker in list(self._crew.values()):
            worker.close_sockets()

    # The loop

    def _turn(self) -> None:
        due = self._next_due()
        timeout = None if due == math.inf else max(0.0, due - time.monotonic())
        ready = self._inbox.wait(self._selector, timeout)
        with self._acting:
            for key, events in ready:
                worker: WorkerProcess = key.data
                if worker.slot not in self._crew:
                    continue
                if events & selectors.EVENT_WRITE:
                    worker.send()
                    self._watch(worker)
                if events & selectors.EVENT_READ:
                    self._hear(worker, is_keeper=key.fileobj is worker.line)
            for order in self._inbox.take():
                order(self)
            if due != math.inf:
                self._act_on_time()
        self._publish()

    def _next_due(self) -> float:
        due = math.inf
        for worker in self._crew.values():
            due = min(due, worker.deadline)
        for vacancy in self._vacant.values():
            due = min(due, vacancy.due)
        return due

    def _act_on_time(self) -> None:
        now = time.monotonic()
        for worker in self._crew.values():
            if worker.deadline <= now:
                worker.end(self._why(worker))
        for slot in [slot for slot, vacancy in self._vacant.items() if vacancy.due <= now]:
            vacancy = self._vacant.pop(slot)
            self._start(slot, vacancy.backlog, start=vacancy.start)

    def _why(self, worker: WorkerProcess) -> Ending:
        if worker.is_stopping:
            return Ending.CLOSED
        return Ending.DROPPED if worker.dropped else Ending.TIMEOUT

    def _publish(self) -> None:
        if self._news:
            news, self._news = self._news, []
            self._post(news)

    def _watch(self, worker: WorkerProcess) -> None:
        """Have the selector tell when the rest of what has to be sent can be sent."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.has_output else 0)
        if events != worker.events and not worker.is_silent and not worker.is_over:
            worker.events = events
            self._selector.modify(worker.sock, events, worker)

    # Feeding

    def _feed(self, worker: WorkerProcess) -> None:
        """Send what may be sent now; a call with a walltime goes alone, so that its time starts then."""
        if not worker.backlog or worker.is_closing or worker.walltime is not None:
            return
        backlog, calls = worker.backlog, list[Call]()
        while backlog and backlog[0].directive.walltime is None:
            calls.append(backlog.popleft())
        if not calls and not worker.hand:
            calls.append(backlog.popleft())
            worker.allow(seconds_allowed(calls[0].directive))
        if not calls:
            return
        try:
            refused = worker.send_calls(calls)
        except BaseException as error:  # noqa: BLE001 - a user's code raised it: the calls' outcome
            refused = [(call, error) for call in calls]
        for call, reason in refused:
            self._news.append(failed_by(call, reason))
        if refused and not worker.hand:
            worker.allow(None)
            self._feed(worker)
        self._watch(worker)

    def _whereabouts(
        self, tries: set[Try], *, is_silent: bool = False
    ) -> Iterable[tuple[WorkerProcess, set[Try]]]:
        """Take tries out of the backlogs; return the workers that hold others of them, each with those."""
        holders: list[WorkerProcess | Vacancy] = [*self._crew.values(), *self._vacant.values()]
        for holder in holders:
            taken = [call for call in holder.backlog if (call.task, call.try_id) in tries]
            if taken:
                holder.backlog = deque(
                    call for call in holder.backlog if (call.task, call.try_id) not in tries
                )
                if not is_silent:
                    self._fail(taken, Cause.RECALLED, recalled)
        return [(worker, tries & worker.hand.keys()) for worker in self._crew.values()]

    def _ask_back(self, worker: WorkerProcess, tries: Collection[Try]) -> bool:
        """Ask for those of the tries that have not started; return whether there is anything to ask for."""
        if not tries or worker.ending is not None:
            return False
        worker.ask_back(tries)
        self._watch(worker)
        return True

    def _refuse(self, slot: SlotId, calls: Iterable[Call]) -> None:
        reason, log = self._broken[slot]
        self._fail(calls, Cause.LOST, lambda call: never_started(call, reason, starts=STARTS, log=log))

    def _fail(self, calls: Iterable[Call], cause: Cause, error: Callable[[Call], TaskError]) -> None:
        self._news.extend(failures(calls, cause, error))

    # Hearing

    def _hear(self, worker: WorkerProcess, *, is_keeper: bool) -> None:
        if is_keeper:
            if worker.hear_keeper():
                self._bury(worker)
            return
        try:
            reports = worker.reports()
        except Exception:  # noqa: BLE001 - whatever a task wrote there
            worker.end(Ending.CORRUPT)
            reports = []
        if worker.is_silent or worker.ending is Ending.CORRUPT:
            self._selector.unregister(worker.sock)
            worker.is_silent = True
        self._take(worker, reports)

    def _take(self, worker: WorkerProcess, reports: list[Report]) -> None:
        for report in reports:
            if not worker.is_ready:  # the first one says just this
                worker.get_ready()
            elif type(report) is Outcomes:
                for outcome in report.outcomes:
                    self._take_outcome(worker, outcome)
            elif type(report) is GivenBack:
                self._take_back(worker, report)
        if not worker.hand:
            worker.allow(None)
        self._feed(worker)
        if self._exit is Exit.FINISH:
            self._say_goodbye(worker)

    def _take_outcome(self, worker: WorkerProcess, outcome: Outcome) -> None:
        key = outcome.task, outcome.try_id
        call = worker.hand.pop(key, None)
        if call is None:
            return
        if key in worker.dropped:
            worker.forgive(key)
            return
        written = outcome.stdout, outcome.stderr
        self._news += happenings_of(call, outcome.value, outcome.error, outcome.seconds, written)

    def _take_back(self, worker: WorkerProcess, report: GivenBack) -> None:
        """Take back what has not started.

        A dropped try that is still in hand when a recall was answered has started: end it. First ask for all
        others, so that nothing else is hit; what can be given back then is.
        """
        worker.unanswered -= report.is_answer
        for key in report.tries:
            call = worker.hand.pop(key, None)
            if call is not None and key in worker.dropped:
                worker.forgive(key)
            elif call is not None:
                self._fail([call], Cause.RECALLED, recalled)
        if not report.is_answer or worker.unanswered or not worker.dropped or worker.ending is not None:
            return
        others = worker.hand.keys() - worker.dropped
        if others and not worker.is_condemned:
            worker.is_condemned = True
            self._ask_back(worker, others)
        else:
            worker.end(Ending.DROPPED)

    # Beginnings and endings

    def _new_slot(self) -> SlotId:
        return SlotId(f"{self._label}/{next(self._numbers)}")

    def _start(self, slot: SlotId, backlog: Iterable[Call] = (), *, start: int = 1) -> None:
        try:
            worker = WorkerProcess(slot, start=start, share=self._workers)
        except OSError as error:
            self._stay_vacant(slot, deque(backlog), start, str(error), "")
            return
        self._crew[slot] = worker
        self._selector.register(worker.sock, selectors.EVENT_READ, worker)
        self._selector.register(worker.line, selectors.EVENT_READ, worker)
        worker.events = selectors.EVENT_READ
        worker.backlog.extend(backlog)
        self._feed(worker)

    def _say_goodbye(self, worker: WorkerProcess) -> None:
        if worker.is_idle and not worker.is_closing:
            worker.ask_to_stop()
            worker.deadline = time.monotonic() + GOODBYE_SECONDS
            self._watch(worker)

    def _bury(self, worker: WorkerProcess) -> None:
        """Take the last reports of a worker that has ended, answer for its calls, and replace it."""
        worker.is_over = True
        self._selector.unregister(worker.line)
        if not worker.is_silent:
            self._selector.unregister(worker.sock)
        self._take(worker, worker.last_reports())
        log = worker.bury()
        del self._crew[worker.slot]
        is_oom = os.WIFSIGNALED(worker.status or 0) and self._oom.has_struck()
        reason = worker.ending.value if worker.ending else reason_of(worker.status or 0, is_oom=is_oom)
        if not worker.is_ready and worker.ending is None:
            calls = deque([*worker.hand.values(), *worker.backlog])
            self._stay_vacant(worker.slot, calls, worker.start, reason, log)
            return
        self._news.extend(answers_for(worker, reason, log))
        self._news.append(SlotDown(worker.slot, reason))
        if self._exit is None:
            slot = self._new_slot()
            self._news.append(SlotUp(self._label, slot))
            self._start(slot)

    def _stay_vacant(self, slot: SlotId, calls: deque[Call], start: int, reason: str, log: str) -> None:
        """Try a place again later, or give it up; the last one stays, to answer each call with the reason."""
        vacancy = vacancy_after(start, calls, time.monotonic())
        if vacancy is not None and self._exit is not Exit.STOP:
            self._vacant[slot] = vacancy
        elif self._crew or self._vacant:
            self._fail(calls, Cause.RECALLED, recalled)
            self._news.append(SlotDown(slot, f"its worker cannot be started: {reason}"))
        else:
            self._broken[slot] = reason, log
            self._refuse(slot, calls)

    def _close_all(self) -> None:
        """Let go of everything that is left: of nothing, unless the loop itself broke."""
        self._exit = Exit.STOP
        for worker in self._crew.values():
            self._fail([*worker.hand.values(), *worker.backlog], Cause.LOST, closed)
            worker.close_sockets()
        for vacancy in self._vacant.values():
            self._fail(vacancy.backlog, Cause.LOST, closed)
        self._crew.clear()
        self._vacant.clear()
        self._selector.close()


Order = Callable[[Supervisor], None]
"""What a supervisor is told to do."""
