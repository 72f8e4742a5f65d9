"""Own what a worker process does: calls in the main thread; messages and output in the I/O thread.

Calls run one at a time in the main thread because signals, matplotlib and many C libraries want it so. A
bundle's results leave when it ends, or 5 ms after the last ones, so that a long call never holds back those
before it.
"""

from __future__ import annotations

import importlib
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from queue import SimpleQueue
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
from nbflow.wire.frames import Inbound, send
from nbflow.wire.values import Definitions, encode, is_plain
from nbflow.worker.call import attempt
from nbflow.worker.capture import Capture

__all__ = ["Worker"]

SEND_SECONDS = 0.005
TICK_MILLISECONDS = 5.0
SLOW_TICK_MILLISECONDS = 100.0
EXIT_BROKEN = 70


@final
class Worker:
    """Run the calls that come over a socket, and send back what came of them.

    `log` takes what this class has to say when it breaks: the captured streams belong to the calls.
    """

    def __init__(self, sock: socket.socket, log: TextIO) -> None:
        self._sock = sock
        self._log = log
        self._pid = os.getpid()
        self._capture = Capture()
        self._definitions = Definitions()
        self._known: set[int] = set()
        self._place: Place | None = None
        self._queue: SimpleQueue[tuple[Place | None, deque[Parcel]] | None] = SimpleQueue()
        self._bundles: list[deque[Parcel]] = []
        self._done: list[Outcome] = []
        self._sending = threading.Lock()
        self._sent = 0.0

    def run(self) -> None:
        """Serve until told to stop."""
        threading.Thread(target=self._serve, name="nbflow-io", daemon=True).start()
        while (order := self._queue.get()) is not None:
            place, parcels = order
            _settle_down(place)
            while parcels:
                try:
                    parcel = parcels.popleft()
                except IndexError:  # the last one was recalled just now
                    break
                self._done.append(self._call(parcel))
                if time.perf_counter() - self._sent > SEND_SECONDS:
                    self._send_done()
            self._send_done()

    def _call(self, parcel: Parcel) -> Outcome:
        task, try_id = parcel.task, parcel.try_id
        try:
            fn, (args, kwargs) = parcel.open()
        except BaseException as error:  # noqa: BLE001 - it becomes the call's outcome
            return Outcome(task, try_id, None, error)
        value, failure, seconds = attempt(fn, args, kwargs, parcel.directive, self._capture, task=task)
        self._capture.flush()
        if os.getpid() != self._pid:  # a child that the call forked, and that came out of it
            os._exit(1 if failure else 0)
        # What can change is encoded now: the next call may change it.
        if failure is None and not is_plain(value):
            try:
                value = encode(value, what="result", known=self._definitions)
            except NbflowError as error:
                value, failure = None, error
        written = self._capture.collect()
        if written is None:
            return Outcome(task, try_id, value, failure, seconds)
        return Outcome(task, try_id, value, failure, seconds, *written)

    def _send_done(self) -> None:
        """Send all results that wait; called by both threads."""
        with self._sending:
            outcomes = self._done[:]
            if outcomes:
                del self._done[: len(outcomes)]
                send(self._sock, encode_outcomes(outcomes, self._definitions, self._known))
                self._sent = time.perf_counter()

    def _serve(self) -> None:
        """Be the I/O thread. Nothing goes on without it, so its end is the end of the process."""
        try:
            self._listen()
        except BaseException:  # noqa: BLE001 - said in the log, which the supervisor reads
            traceback.print_exc(file=self._log)
            self._log.flush()
        os._exit(EXIT_BROKEN)

    def _listen(self) -> None:
        """Take orders and drain output until the supervisor is gone."""
        inbound = Inbound()
        poll = select.poll()
        for source in (self._sock.fileno(), *self._capture.readers):
            poll.register(source, select.POLLIN)
        self._give_back(())  # the supervisor takes the first report for "ready"
        tick: float | None = None
        while not inbound.is_closed:
            ready = poll.poll(tick)
            if any(number != self._sock.fileno() for number, _ in ready):
                self._capture.drain()
            if any(number == self._sock.fileno() for number, _ in ready):
                for frames in inbound.receive(self._sock):
                    self._obey(frames)
                tick = TICK_MILLISECONDS
            elif not ready and tick is not None:
                tick = self._tick(tick)

    def _tick(self, tick: float) -> float | None:
        """Send results that wait behind a long call; return the milliseconds to the next look, if any."""
        if self._done:
            self._send_done()
            return TICK_MILLISECONDS
        if not any(self._bundles):
            return None
        return min(2 * tick, SLOW_TICK_MILLISECONDS)

    def _obey(self, frames: list[bytearray]) -> None:
        order = decode_order(frames, self._definitions)
        match order:
            case Bundle():
                self._bundles = [bundle for bundle in self._bundles if bundle]
                parcels = deque(order.parcels)
                self._bundles.append(parcels)
                self._queue.put((self._place, parcels))
            case Place():
                self._place = order
            case Recall():
                self._recall(set(order.tries))
            case Stop():
                self._queue.put(None)

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
        self._give_back(given_back)

    def _give_back(self, tries: Collection[tuple[TaskId, TryId]]) -> None:
        with self._sending:
            send(self._sock, encode_given_back(tries))


def _settle_down(place: Place | None) -> None:
    """Go where the next bundle runs: the one before may have gone elsewhere, or the user has."""
    if place is None:
        return
    with suppress(OSError):  # a directory that is gone: calls that need it will say so
        os.chdir(place.directory)
    if sys.path != place.import_paths:
        sys.path[:] = place.import_paths
        importlib.invalidate_caches()
