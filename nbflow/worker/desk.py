"""Own how calls are run that come over one connection: opened, called, their results encoded and sent.

Whoever has a desk says in which thread it works, where output goes, and how messages leave.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TextIO, final

from nbflow.core.ids import TaskId, TryId
from nbflow.errors import NbflowError
from nbflow.wire.bundles import (
    Bundle,
    Parcel,
    Place,
    Recall,
    Stop,
    decode_order,
    encode_given_back,
    encode_outcomes,
    encode_written_so_far,
)
from nbflow.wire.frames import Buffer
from nbflow.wire.outcome import Outcome
from nbflow.wire.values import Definitions, Encoded, encode, is_plain
from nbflow.worker.call import Watch, attempt
from nbflow.worker.capture import Output, Written
from nbflow.worker.granted import granted
from nbflow.worker.handover import Handover, Missing
from nbflow.worker.usage import Meter
from nbflow.worker.witness import testify

__all__ = ["Desk", "Work"]

HOLD_SECONDS = 0.005

Work = tuple[Place | None, deque[Parcel]]
"""Calls to be run, and where."""

Running = tuple[TaskId, TryId, Any, Sequence[Any], Mapping[str, Any]]
"""The call that runs: its try, its function and its arguments."""


class Recorder(Output, Protocol):
    """Be where the output of calls goes, one after the other, and give back what each wrote."""

    def flush(self) -> None:
        """Take what is still in buffers: a call has ended."""

    def collect(self) -> Written | None:
        """Return what was written since the last time; None for nothing."""


@final
class Desk:
    """Run the calls of one connection, in order. `obey` and `send_done` may be called from other threads.

    `post` is given what there is to run, None for the end; `send` sends one message. `log` is read when the
    process has died. `watch` is shown the commands of bash apps before they start. Results are held back for
    `hold_seconds`, so that many go at once. `meter` measures calls that have a process to themselves.
    """

    def __init__(
        self,
        output: Recorder,
        post: Callable[[Work | None], object],
        send: Callable[[Sequence[Buffer]], None],
        log: TextIO,
        watch: Watch | None = None,
        hold_seconds: float = HOLD_SECONDS,
        meter: Meter | None = None,
    ) -> None:
        self._output = output
        self._post = post
        self._send = send
        self._log = log
        self._watch = watch
        self._hold_seconds = hold_seconds
        self._meter = meter
        self._pid = os.getpid()
        self._definitions = Definitions()
        self._known: set[int] = set()
        self._place: Place | None = None
        self._bundles: list[deque[Parcel]] = []
        self._done: list[Outcome] = []
        self._sending = threading.Lock()
        self.running: Running | None = None
        self._sent = 0.0

    @property
    def has_results(self) -> bool:
        """Tell whether results wait to be sent."""
        return bool(self._done)

    def run(self, parcels: deque[Parcel]) -> None:
        """Run calls, one after the other, and send what came of them."""
        handover = Handover(list(parcels), self._definitions)
        unstarted = []
        while parcels:
            try:
                parcel = parcels.popleft()
            except IndexError:  # the last one was recalled just now
                break
            try:
                outcome = self._call(parcel, handover)
            except Missing:
                unstarted.append((parcel.task, parcel.try_id))
                continue
            self._done.append(outcome)
            # Large buffers are sent from where they are: before the next call may change them.
            is_shared = type(outcome.value) is Encoded and outcome.value.buffers
            if is_shared or time.perf_counter() - self._sent > self._hold_seconds:
                self.send_done()
        self.send_done()
        if unstarted:
            self.give_back(unstarted)

    def _call(self, parcel: Parcel, handover: Handover) -> Outcome:
        task, try_id = parcel.task, parcel.try_id
        try:
            fn, (args, kwargs) = parcel.open()
            if parcel.upstream:
                args, kwargs = handover.complete((args, kwargs), parcel.upstream)
        except Missing:
            raise
        except BaseException as error:  # noqa: BLE001 - it becomes the call's outcome
            return Outcome(task, try_id, None, error)
        run = partial(attempt, fn, args, kwargs, parcel.directive, self._output, task=task, watch=self._watch)
        grant = parcel.grant
        meter = self._meter
        self.running = task, try_id, fn, args, kwargs
        began = 0.0 if meter is None else meter.begin()
        value, failure, seconds = (
            run() if grant is None else granted(grant, partial(run, launch=grant.launch), self._log)
        )
        self.running = None
        usage = None if meter is None else meter.end(began, seconds)
        self._output.flush()
        if os.getpid() != self._pid:  # a child that the call forked, and that came out of it
            os._exit(1 if failure else 0)
        testimony, written = testify(failure, self._output.collect(), fn, args, kwargs)
        # What can change is encoded now: the next call may change it.
        if failure is None and not is_plain(value):
            try:
                value = encode(value, what="result", known=self._definitions)
            except NbflowError as error:
                value, failure = None, error
        if failure is None:
            handover.keep(task, value)
        outcome = Outcome(task, try_id, value, failure, seconds, *(written or ()))
        outcome.testimony, outcome.usage = testimony, usage
        return outcome

    def send_done(self) -> None:
        """Send all results that wait."""
        with self._sending:
            outcomes = self._done[:]
            if outcomes:
                del self._done[: len(outcomes)]
                self._send(encode_outcomes(outcomes, self._definitions, self._known))
                self._sent = time.perf_counter()

    def tell_written(self, running: Running, written: Callable[[], Written]) -> None:
        """Report what a call has written so far, if it still runs when it was looked at."""
        with self._sending:
            so_far = written()
            if self.running is running:
                self._send(encode_written_so_far(running[0], running[1], *so_far))

    def give_back(self, tries: Collection[tuple[TaskId, TryId]], *, is_answer: bool = False) -> None:
        """Report tries that will not be run here; without any it says that this desk is there."""
        with self._sending:
            self._send(encode_given_back(tries, is_answer=is_answer))

    def clear(self) -> None:
        """Forget all calls that have not started."""
        for parcels in self._bundles:
            parcels.clear()

    def obey(self, frames: Sequence[Buffer]) -> None:
        """Take one message of the other side."""
        order = decode_order(frames, self._definitions)
        match order:
            case Bundle():
                self._bundles = [bundle for bundle in self._bundles if bundle]
                parcels = deque(order.parcels)
                self._bundles.append(parcels)
                self._post((self._place, parcels))
                if self._place is not None and self._place.reloads:
                    self._place = replace(self._place, reloads=())
            case Place():
                self._place = order
            case Recall():
                self._recall(set(order.tries))
            case Stop():
                self._post(None)

    def _recall(self, tries: set[tuple[TaskId, TryId]]) -> None:
        """Give back those of the tries that have not started."""
        given_back = []
        for parcels in self._bundles:
            for parcel in list(parcels):
                if (parcel.task, parcel.try_id) in tries:
                    try:
                        parcels.remove(parcel)
                    except ValueError:  # it started just now
                        continue
                    given_back.append((parcel.task, parcel.try_id))
        # Results first: a try that is then neither done nor given back is the one that runs.
        self.send_done()
        self.give_back(given_back, is_answer=True)
