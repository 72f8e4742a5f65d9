"""Own what a crew of worker processes does: feed them, hear them, end them, replace them.

Decides, and leaves to a `Host` how a worker is started and reached: on this machine (`supervisor`) or on the
node of a pilot. It lives in one thread; packing, which may run a user's code, happens in threads beside it.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from typing import Final, final

from nbflow.core.ids import ExecutorId, NodeId, SlotId
from nbflow.core.states import Cause
from nbflow.errors import TaskError
from nbflow.wire.bundles import GivenBack, Outcomes, Report
from nbflow.wire.frames import Buffer
from nbflow.wire.messages import Call
from nbflow.wire.outcome import Outcome
from nbflow.worker.answers import answers_for, failures
from nbflow.worker.happenings import Exit, Happening, SlotDown, SlotUp, Try
from nbflow.worker.host import Front, Host
from nbflow.worker.load import Load, Packers, take_out
from nbflow.worker.losses import closed, never_started, reason_of, recalled
from nbflow.worker.outcomes import failed_by, printed_so_far, reported
from nbflow.worker.process import Ending, WorkerProcess
from nbflow.worker.sharing import Sharing, are_alone
from nbflow.worker.vacancy import REST_SECONDS, STARTS, Vacancy, vacancy_after

__all__ = ["Crew"]

ANSWER_SECONDS = 0.3
"""How long a worker may take to answer a recall; one that is deep in C code does not answer at all."""
GOODBYE_SECONDS = 2.0
"""How long a worker that was asked to stop may take: its exit handlers, its last threads."""


@final
class Crew:
    """Keep a number of worker processes at work.

    Slots are called `PLACE/1`, `PLACE/2` and so on. With more than one of `threads` so many slots share each
    process. `news` is what happened; whoever runs the crew takes it. The `packers` hand back to the crew's
    thread. The host tells `front` what workers say.
    """

    def __init__(
        self,
        label: ExecutorId,
        workers: int,
        host: Host,
        packers: Packers,
        *,
        place: str,
        node: NodeId | None = None,
        threads: int = 1,
    ) -> None:
        self._label = label
        self._place = place
        self._node = node
        self._packers = packers
        self._threads = threads
        sharing = Sharing(host, threads, self, packers.hand_back) if threads > 1 else None
        self._host: Host = sharing or host
        self.front: Final[Front] = sharing or self
        self._numbers = itertools.count(1)
        self._crew: dict[SlotId, WorkerProcess] = {}
        self._vacant: dict[SlotId, Vacancy] = {}
        self._broken: dict[SlotId, tuple[str, str, float]] = {}
        self._alone: set[SlotId] = set()
        self._size = workers * threads
        self._exit: Exit | None = None
        self.news: list[Happening] = []
        self.slots: Final = tuple(self._new_slot() for _ in range(self._size))

    def start(self) -> None:
        """Start the workers."""
        for slot in self.slots:
            self._start(slot)

    @property
    def workers(self) -> Collection[WorkerProcess]:
        """Return the workers that are there."""
        return self._crew.values()

    @property
    def is_over(self) -> bool:
        """Tell whether it was closed and nothing is left."""
        return self._exit is not None and not self._crew and not self._vacant

    @property
    def is_open(self) -> bool:
        """Tell whether it was not told to close."""
        return self._exit is None

    def find(self, slot: SlotId) -> WorkerProcess | None:
        """Return the worker in a slot."""
        return self._crew.get(slot)

    def take_news(self) -> list[Happening]:
        """Return what happened since the last time."""
        news, self.news = self.news, []
        return news

    # Orders

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Give calls to a slot, after those that it has."""
        worker = self._crew.get(slot)
        if worker is not None and self._suits(worker, calls):
            worker.backlog.extend(calls)
            self._feed(worker)
        elif worker is not None:
            del self._crew[slot]
            worker.end(Ending.DROPPED)
            self._start(slot, calls)
        elif slot in self._vacant:
            self._vacant[slot].backlog.extend(calls)
        elif slot in self._broken:
            self._start_after_all(slot, calls)
        elif self._exit is not None:
            self._fail(calls, Cause.LOST, closed)
        else:  # it went down while they were on their way
            self._fail(calls, Cause.RECALLED, recalled)

    def _suits(self, worker: WorkerProcess, calls: Sequence[Call]) -> bool:
        """Tell whether calls may run in a worker: what was granted something has a process of its own."""
        if self._threads == 1 or not worker.is_idle:
            return True
        return are_alone(calls) == (worker.slot in self._alone)

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started."""
        wanted = set(tries)
        self._fail(self._withdraw(wanted), Cause.RECALLED, recalled)
        for worker in self._crew.values():
            self._ask_back(worker, wanted & worker.hand.keys())

    def recall_all(self) -> None:
        """Give back all that has not started."""
        for worker in self._crew.values():
            worker.unload()
            self._ask_back(worker, worker.hand.keys())
        holders: list[WorkerProcess | Vacancy] = [*self._crew.values(), *self._vacant.values()]
        for holder in holders:
            self._fail(holder.backlog, Cause.RECALLED, recalled)
            holder.backlog.clear()
        for worker in self._crew.values():
            self._go_on(worker)

    def drop(self, tries: Collection[Try]) -> None:
        """Stop the tries; nothing is reported for them."""
        wanted = set(tries)
        self._withdraw(wanted)
        for worker in self._crew.values():
            if worker.load is not None and worker.load.forget(wanted):
                # Nobody waits for what is being packed: nothing else has to, either.
                worker.unload()
                self._go_on(worker)
            in_hand = wanted & worker.hand.keys()
            worker.dropped |= in_hand
            if self._ask_back(worker, in_hand):
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

    # Time

    def next_due(self) -> float:
        """Return when `act_on_time` has to be called (monotonic clock) if nothing happens before."""
        deadlines = (worker.deadline for worker in self._crew.values())
        return min((*deadlines, *(vacancy.due for vacancy in self._vacant.values())), default=math.inf)

    def act_on_time(self, now: float) -> None:
        """End workers whose time is over, and fill places that have waited."""
        for worker in self._crew.values():
            if worker.deadline <= now:
                worker.end(worker.why_due())
        for slot in [slot for slot, vacancy in self._vacant.items() if vacancy.due <= now]:
            vacancy = self._vacant.pop(slot)
            self._start(slot, vacancy.backlog, start=vacancy.start)

    # Feeding

    def _feed(self, worker: WorkerProcess) -> None:
        """Send what may be sent now, or have it packed for that."""
        calls = worker.next_calls()
        if not calls:
            return
        if worker.send_plain(calls):
            self._host.watch(worker)
            return
        load = worker.start_load(calls)
        self._packers.run(load.pack, lambda: self._take_load(worker, load))

    def _take_load(self, worker: WorkerProcess, load: Load) -> None:
        """Send what was packed, unless the packing was given up."""
        if worker.load is not load:
            return
        if worker.is_closing:  # it is likely to end, and may live on: then all is packed again
            worker.unload()
            return
        self.news += [failed_by(call, reason) for call, reason in load.refused]
        worker.send_load(load)
        self._host.watch(worker)
        self._go_on(worker)

    def _withdraw(self, tries: Set[Try]) -> list[Call]:
        """Take out and return those of the tries that are not on their way to a worker."""
        holders: list[WorkerProcess | Vacancy] = [*self._crew.values(), *self._vacant.values()]
        taken = [call for holder in holders for call in take_out(holder.backlog, tries)]
        for worker in self._crew.values():
            if worker.load is not None:
                taken += worker.load.take_back(tries)
        return taken

    def _ask_back(self, worker: WorkerProcess, tries: Collection[Try]) -> bool:
        """Ask for those of the tries that have not started; return whether there is anything to ask for."""
        if not tries or worker.ending is not None:
            return False
        worker.ask_back(tries)
        self._host.watch(worker)
        return True

    def _refuse(self, slot: SlotId, calls: Iterable[Call]) -> None:
        reason, log, _ = self._broken[slot]
        self._fail(calls, Cause.LOST, lambda call: never_started(call, reason, starts=STARTS, log=log))

    def _fail(self, calls: Iterable[Call], cause: Cause, error: Callable[[Call], TaskError]) -> None:
        self.news.extend(failures(calls, cause, error))

    # Hearing

    def hear(self, worker: WorkerProcess, messages: Iterable[Sequence[Buffer]]) -> None:
        """Take what a worker says; one that says what is no message is ended."""
        for frames in messages:
            try:
                report = worker.report(frames)
            except Exception:  # noqa: BLE001 - whatever a task wrote there
                worker.end(Ending.CORRUPT)
                return
            self._take(worker, report)
        self._go_on(worker)

    def _take(self, worker: WorkerProcess, report: Report) -> None:
        if not worker.is_ready:  # the first one says just this
            worker.get_ready()
            self._fill_up()
        elif type(report) is Outcomes:
            for outcome in report.outcomes:
                self._take_outcome(worker, outcome)
        elif type(report) is GivenBack:
            self._take_back(worker, report)
        elif (report.task, report.try_id) in worker.hand:
            self.news += printed_so_far(report)

    def _go_on(self, worker: WorkerProcess) -> None:
        if not worker.hand:
            worker.allow(None)
        self._feed(worker)
        if self._exit is Exit.FINISH:
            self._say_goodbye(worker)

    def _take_outcome(self, worker: WorkerProcess, outcome: Outcome) -> None:
        key = outcome.task, outcome.try_id
        call = worker.hand.pop(key, None)
        if call is not None and key in worker.dropped:
            worker.forgive(key)
        elif call is not None:
            self.news += reported(call, outcome)

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
        return SlotId(f"{self._place}/{next(self._numbers)}")

    def _start(self, slot: SlotId, backlog: Sequence[Call] = (), *, start: int = 1) -> None:
        threads = 1 if are_alone(backlog) else self._threads
        (self._alone.add if threads == 1 else self._alone.discard)(slot)
        try:
            child = self._host.launch(slot, threads)
        except OSError as error:
            self._stay_vacant(slot, deque(backlog), start, str(error), "")
            return
        worker = self._crew[slot] = WorkerProcess(slot, child, start=start)
        self._host.welcome(worker)
        worker.backlog.extend(backlog)
        self._feed(worker)

    def _say_goodbye(self, worker: WorkerProcess) -> None:
        if worker.is_idle and not worker.is_closing:
            worker.ask_to_stop()
            worker.deadline = time.monotonic() + GOODBYE_SECONDS
            self._host.watch(worker)

    def bury(self, worker: WorkerProcess) -> None:
        """Answer for the calls of a worker that has ended and was heard to its end, and replace it."""
        worker.is_over = True
        worker.unload()
        remains = worker.child.bury()
        if self._crew.get(worker.slot) is not worker:  # its slot was given another
            return
        del self._crew[worker.slot]
        self._alone.discard(worker.slot)
        reason = worker.ending.value if worker.ending else reason_of(remains.status, is_oom=remains.is_oom)
        if not worker.is_ready and worker.ending is None:
            calls = deque([*worker.hand.values(), *worker.backlog])
            self._stay_vacant(worker.slot, calls, worker.start, reason, remains.log)
            return
        self.news.extend(answers_for(worker, reason, remains))
        self.news.append(SlotDown(worker.slot, reason))
        if self._exit is None:
            self._open()

    def grow(self) -> None:
        """Open the places of one more worker process than there were."""
        self._size += self._threads
        for _ in range(self._threads):
            self._open()

    def _open(self) -> None:
        slot = self._new_slot()
        self.news.append(SlotUp(self._label, slot, self._node))
        self._start(slot)

    def _stay_vacant(self, slot: SlotId, calls: deque[Call], start: int, reason: str, log: str) -> None:
        """Try a place again later, or give it up; the last one stays, to answer each call with the reason."""
        vacancy = vacancy_after(start, calls, time.monotonic())
        if vacancy is not None and self._exit is not Exit.STOP:
            self._vacant[slot] = vacancy
        elif self._crew or self._vacant:
            self._fail(calls, Cause.RECALLED, recalled)
            self.news.append(SlotDown(slot, f"its worker cannot be started: {reason}"))
        else:
            self._broken[slot] = reason, log, time.monotonic() + REST_SECONDS
            self._refuse(slot, calls)

    def _start_after_all(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Try a place that was given up once more, if that is a while ago: what broke it may be mended."""
        if time.monotonic() < self._broken[slot][2]:
            self._refuse(slot, calls)
        else:
            del self._broken[slot]
            self._start(slot, calls, start=STARTS)

    def _fill_up(self) -> None:
        """Open places again that were given up: workers can be started, as one shows."""
        while self._exit is None and len(self._crew) + len(self._vacant) < self._size:
            self._open()

    def lose_all(self, cause: Cause, error: Callable[[Call], TaskError]) -> None:
        """Let go of everything that is left, with this answer for each call."""
        self._exit = Exit.STOP
        for worker in self._crew.values():
            worker.unload()
            calls = [call for key, call in worker.hand.items() if key not in worker.dropped]
            self.news.extend(failures(calls, cause, error, alone=len(worker.hand) == 1))
            self._fail(worker.backlog, cause, error)
            worker.child.abandon()
        for vacancy in self._vacant.values():
            self._fail(vacancy.backlog, cause, error)
        self._crew.clear()
        self._vacant.clear()
