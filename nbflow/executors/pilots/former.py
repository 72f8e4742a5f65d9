"""Own what one pilot still has of former kernels: workers at work, and results that wait to be taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, final

from nbflow.core.ids import SlotId
from nbflow.core.states import Cause
from nbflow.errors import NotReadable, TaskError
from nbflow.wire.bundles import GivenBack, Outcomes, decode_report, encode_stop
from nbflow.wire.frames import Buffer
from nbflow.wire.lanes import Kind, text_of
from nbflow.wire.messages import Call
from nbflow.wire.outcome import Outcome
from nbflow.wire.values import Definitions
from nbflow.worker.answers import failures
from nbflow.worker.happenings import Happening, Held, Try
from nbflow.worker.losses import lost_with_kernel
from nbflow.worker.outcomes import reported

__all__ = ["Estate", "Taken"]

Say = Callable[[Kind, int, Sequence[Buffer]], None]
Taken = tuple[int, int, Try]
"""The worker and the number of a message, and a try in it that somebody took, or nobody wants."""


@final
class _Former:
    """Be one worker of a former kernel. `results` are those that nobody took, each with its message.

    `due` counts the messages that it said before, and that are said again now.
    """

    def __init__(self, left: Mapping[str, Any]) -> None:
        self.held: Final = Held(str(left["run"]), SlotId(str(left["slot"])))
        self.is_alive = left["is_alive"] is True
        self.has_threads = int(left["threads"]) > 1
        self.due = int(left["messages"])
        self.definitions: Final = Definitions()
        self.results: dict[Try, tuple[Outcome, int]] = {}
        self.claims: dict[Try, Call] = {}
        self.is_disowned = self.has_threads

    @property
    def is_heard_out(self) -> bool:
        """Tell whether it will not say anything more."""
        return not self.is_alive and not self.due


@final
class Estate:
    """Give what workers of former kernels have done, and will do, to the calls that claim it.

    `news` is what became of claims; whoever takes
    it gives `take_settled` back to `forget` when it is on disk, so that the pilot need not keep it.
    """

    def __init__(self, left: Mapping[str, Mapping[str, Any]], say: Say) -> None:
        self._say = say
        self._workers = {int(number): _Former(one) for number, one in left.items()}
        self._open: dict[int, set[Try]] = {}
        self._settled: list[Taken] = []
        self.news: list[Happening] = []

    def ask_to_end(self) -> None:
        """Ask the workers to end after the calls in their hands.

        One whose threads served several slots ends at once: which call is whose is not known any more.
        """
        for number, worker in self._workers.items():
            if worker.has_threads:
                self._kill(number, worker)
            elif worker.is_alive:
                self._say(Kind.FRAMES, number, encode_stop())

    @property
    def alive(self) -> int:
        """Return how many of the workers work on."""
        return sum(worker.is_alive for worker in self._workers.values())

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing runs and no result waits."""
        return all(worker.is_heard_out and not worker.results for worker in self._workers.values())

    def held(self) -> Iterator[Held]:
        """Give the slots where calls run on, or results wait."""
        for worker in self._workers.values():
            if not worker.is_disowned and not (worker.is_heard_out and not worker.results):
                yield worker.held

    def claimed(self) -> Iterator[tuple[SlotId, tuple[Try, ...]]]:
        """Give the slots that work for calls of this run, with those calls."""
        for worker in list(self._workers.values()):
            if worker.claims:
                yield (
                    worker.held.slot,
                    tuple((call.task, call.try_id) for call in list(worker.claims.values())),
                )

    # What is wanted

    def adopt(self, held: Held, former: Try, call: Call) -> bool:
        """Report what becomes of a former try as that of a call; return whether its worker is here."""
        found = [item for item in self._workers.items() if item[1].held == held]
        if not found:
            return False
        for number, worker in found:
            if former in worker.results:
                outcome, message = worker.results.pop(former)
                self._report(call, outcome)
                self._settle(number, message, former)
                return True
        for _, worker in found:
            if not worker.is_heard_out:
                worker.claims[former] = call
                return True
        return False

    def drop(self, tries: Collection[Try]) -> None:
        """Stop former tries that were claimed for these, for which nothing is reported."""
        for number, worker in self._workers.items():
            dropped = [former for former, call in worker.claims.items() if (call.task, call.try_id) in tries]
            for former in dropped:
                del worker.claims[former]
            if dropped and not worker.claims:
                self._kill(number, worker)

    def disown(self, run: str) -> None:
        """Stop workers of a run that work for nobody here, and let go of the results that nobody took."""
        for number, worker in self._workers.items():
            if worker.held.run != run:
                continue
            worker.is_disowned = True
            for former, (_, message) in worker.results.items():
                self._settle(number, message, former)
            worker.results.clear()
            if not worker.claims:
                self._kill(number, worker)

    def _kill(self, number: int, worker: _Former) -> None:
        if worker.is_alive:
            self._say(Kind.KILL, number, ())

    # What the pilot says

    def has(self, number: int) -> bool:
        """Tell whether a worker is one of these."""
        return number in self._workers

    def hear(self, number: int, message: int, frames: Sequence[Buffer]) -> None:
        """Take what such a worker said, in the message with this number."""
        worker = self._workers[number]
        worker.due = max(0, worker.due - 1)
        self._take(number, worker, message, frames)
        self._expire_unsaid(worker)

    def _take(self, number: int, worker: _Former, message: int, frames: Sequence[Buffer]) -> None:
        if worker.has_threads:
            self._forget(number, [message])
            return
        try:
            report = decode_report(frames, worker.definitions)
        except Exception:  # noqa: BLE001 - whatever a task wrote there
            self._kill(number, worker)
            report = GivenBack((), is_answer=False)
        if type(report) is not Outcomes:
            self._forget(number, [message])
            if type(report) is GivenBack:
                self._expire([call for key in report.tries if (call := worker.claims.pop(key, None))])
            return
        keys = [(outcome.task, outcome.try_id) for outcome in report.outcomes]
        self._open[message] = set(keys)
        for key, outcome in zip(keys, report.outcomes, strict=True):
            call = worker.claims.pop(key, None)
            if call is not None:
                self._report(call, outcome)
            elif not worker.is_disowned:
                worker.results[key] = outcome, message
                continue
            self._settle(number, message, key)

    def end(self, number: int) -> None:
        """Take such a worker for ended."""
        worker = self._workers[number]
        worker.is_alive = False
        self._expire_unsaid(worker)

    def _expire_unsaid(self, worker: _Former) -> None:
        """Answer claims on what a worker has not said, and never will."""
        if worker.is_heard_out and worker.claims:
            calls, worker.claims = list(worker.claims.values()), {}
            self._expire(calls)

    def lose_all(self, cause: Cause, error: Callable[[Call], TaskError]) -> None:
        """Answer all claims: the pilot is gone."""
        for worker in self._workers.values():
            self.news += failures(worker.claims.values(), cause, error)
        self._workers.clear()

    def _report(self, call: Call, outcome: Outcome) -> None:
        if isinstance(outcome.error, NotReadable):  # it is made of what only the dead process had
            self._expire([call])
            return
        self.news += reported(call, outcome)

    def _expire(self, calls: Collection[Call]) -> None:
        self.news += failures(calls, Cause.EXPIRED, lost_with_kernel)

    # What the pilot need not keep

    def _settle(self, number: int, message: int, key: Try) -> None:
        self._settled.append((number, message, key))

    @property
    def has_settled(self) -> bool:
        """Tell whether anything was settled since the last time."""
        return bool(self._settled)

    def take_settled(self) -> list[Taken]:
        """Return what was settled since the last time."""
        settled, self._settled = self._settled, []
        return settled

    def forget(self, settled: Collection[Taken]) -> None:
        """Let the pilot forget messages of which everything is settled, and on disk."""
        for number, message, key in settled:
            left = self._open.get(message)
            if left is not None:
                left.discard(key)
                if not left:
                    del self._open[message]
                    self._forget(number, [message])

    def _forget(self, number: int, messages: list[int]) -> None:
        self._say(Kind.FORGET, number, [text_of({"numbers": messages})])
