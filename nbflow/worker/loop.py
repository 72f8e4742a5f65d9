"""Own what a worker process does: calls in the main thread, all else during them in the I/O thread.

Calls run one at a time in the main thread because signals, matplotlib and many C libraries want it so. While
there is none, the main thread reads the socket itself: a call that comes costs no hand-over between threads.
Once a bundle has run for 5 ms the I/O thread reads it. A bundle's results leave when it ends, or 5 ms after
the last ones, so that a long call never holds back those before it.
"""

from __future__ import annotations

import importlib
import os
import select
import selectors
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import TextIO, final

from nbflow.core.ids import TaskId, TryId
from nbflow.errors import NbflowError
from nbflow.wire.bundles import (
    Bundle,
    Outcome,
    Parcel,
    Place,
    Recall,
    Stop,
    decode_order,
    encode_given_back,
    encode_outcomes,
)
from nbflow.wire.frames import Buffer, Inbound, Outbound
from nbflow.wire.values import Definitions, Encoded, encode, is_plain
from nbflow.worker.call import attempt
from nbflow.worker.capture import Capture
from nbflow.worker.granted import granted
from nbflow.worker.handover import Handover, Missing
from nbflow.worker.inbox import Inbox
from nbflow.worker.lookout import Lookout
from nbflow.worker.witness import testify

__all__ = ["Worker"]

SEND_SECONDS = 0.005
EXIT_BROKEN = 70


@final
class Worker:
    """Run the calls that come over a socket, and send back what came of them.

    `log` takes what this class has to say when it breaks: the captured streams belong to the calls.
    """

    def __init__(self, sock: socket.socket, log: TextIO) -> None:
        self._sock = sock
        self._sock.settimeout(0)
        self._log = log
        self._pid = os.getpid()
        self._capture = Capture()
        self._definitions = Definitions()
        self._known: set[int] = set()
        self._place: Place | None = None
        self._inbound = Inbound()
        self._orders: Inbox[tuple[Place | None, deque[Parcel]] | None] = Inbox()
        self._bundles: list[deque[Parcel]] = []
        self._done: list[Outcome] = []
        self._reading = threading.Lock()
        self._sending = threading.Lock()
        self._sent = 0.0
        self._lookout = Lookout(sock, self._capture.readers)
        self._room = select.poll()
        self._room.register(sock, select.POLLOUT)

    def run(self) -> None:
        """Serve until told to stop."""
        watch = threading.Thread(target=self._survive, args=(self._watch,), name="nbflow-io", daemon=True)
        watch.start()
        self._survive(self._work)

    def _survive(self, serve: Callable[[], None]) -> None:
        """Be one of the two threads. Nothing goes on without either, so a defect ends the process."""
        try:
            serve()
        except BaseException:  # noqa: BLE001 - said in the log, which the supervisor reads
            traceback.print_exc(file=self._log)
            self._log.flush()
            os._exit(EXIT_BROKEN)

    # The main thread

    def _work(self) -> None:
        self._give_back(())  # the supervisor takes the first report for "ready"
        with selectors.DefaultSelector() as selector:
            for source in (self._sock, self._orders):
                selector.register(source, selectors.EVENT_READ)
            while True:
                if self._orders.wait(selector, None):
                    self._read()
                for order in self._orders.take():
                    if order is None:
                        return
                    self._lookout.turn_over()
                    self._run(*order)
                    self._lookout.turn_over()

    def _run(self, place: Place | None, parcels: deque[Parcel]) -> None:
        _settle_down(place)
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
            if is_shared or time.perf_counter() - self._sent > SEND_SECONDS:
                self._send_done()
        self._send_done()
        if unstarted:
            self._give_back(unstarted)

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
        run = partial(attempt, fn, args, kwargs, parcel.directive, self._capture, task=task)
        value, failure, seconds = run() if parcel.grant is None else granted(parcel.grant, run)
        self._capture.flush()
        if os.getpid() != self._pid:  # a child that the call forked, and that came out of it
            os._exit(1 if failure else 0)
        testimony, written = testify(failure, self._capture.collect(), fn, args, kwargs)
        # What can change is encoded now: the next call may change it.
        if failure is None and not is_plain(value):
            try:
                value = encode(value, what="result", known=self._definitions)
            except NbflowError as error:
                value, failure = None, error
        if failure is None:
            handover.keep(task, value)
        if written is None:
            return Outcome(task, try_id, value, failure, seconds, testimony=testimony)
        return Outcome(task, try_id, value, failure, seconds, *written, testimony)

    def _send_done(self) -> None:
        """Send all results that wait; called by both threads."""
        with self._sending:
            outcomes = self._done[:]
            if outcomes:
                del self._done[: len(outcomes)]
                self._send(encode_outcomes(outcomes, self._definitions, self._known))
                self._sent = time.perf_counter()

    def _send(self, frames: Sequence[Buffer]) -> None:
        outbound = Outbound()
        outbound.put(frames)
        while not outbound.send(self._sock):
            self._room.poll()

    # The I/O thread

    def _watch(self) -> None:
        """Look after what comes up while the main thread is busy."""
        while True:
            found = self._lookout.wait()
            if found.has_output:
                self._capture.drain()
            if found.has_message:
                self._read()
            if found.is_late and self._done:
                self._send_done()

    # Both

    def _read(self) -> None:
        """Obey what has come. The end of the supervisor is the end of the process."""
        with self._reading:
            for frames in self._inbound.receive(self._sock):
                self._obey(frames)
            if self._inbound.is_closed:
                os._exit(EXIT_BROKEN)

    def _obey(self, frames: list[bytearray]) -> None:
        order = decode_order(frames, self._definitions)
        match order:
            case Bundle():
                self._bundles = [bundle for bundle in self._bundles if bundle]
                parcels = deque(order.parcels)
                self._bundles.append(parcels)
                self._orders.put((self._place, parcels))
            case Place():
                self._place = order
            case Recall():
                self._recall(set(order.tries))
            case Stop():
                self._orders.put(None)

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
        self._send_done()
        self._give_back(given_back, is_answer=True)

    def _give_back(self, tries: Collection[tuple[TaskId, TryId]], *, is_answer: bool = False) -> None:
        with self._sending:
            self._send(encode_given_back(tries, is_answer=is_answer))


def _settle_down(place: Place | None) -> None:
    """Go where the next bundle runs: the one before may have gone elsewhere, or the user has."""
    if place is None:
        return
    with suppress(OSError):  # a directory that is gone: calls that need it will say so
        os.chdir(place.directory)
    if sys.path != place.import_paths:
        sys.path[:] = place.import_paths
        importlib.invalidate_caches()
