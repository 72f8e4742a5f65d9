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
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO, final

from nbflow.wire.bundles import Place
from nbflow.wire.frames import Buffer, Inbound, Outbound
from nbflow.worker.capture import Capture
from nbflow.worker.desk import Desk, Work
from nbflow.worker.exits import EXIT_BROKEN
from nbflow.worker.inbox import Inbox
from nbflow.worker.lookout import Lookout
from nbflow.worker.tail import Tail
from nbflow.worker.usage import Meter

__all__ = ["Sender", "Worker", "settle_down", "survive"]


@final
class Sender:
    """Send messages over a socket, each as a whole; whoever calls it makes sure that one does at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._room = select.poll()
        self._room.register(sock, select.POLLOUT)

    def send(self, frames: Sequence[Buffer]) -> None:
        """Send one message, and wait until the socket has taken it."""
        outbound = Outbound()
        outbound.put(frames)
        while not outbound.send(self._sock):
            self._room.poll()


@final
class Worker:
    """Run the calls that come over a socket, and send back what came of them.

    `log` takes what this class has to say when it breaks: the captured streams belong to the calls.
    """

    def __init__(self, sock: socket.socket, log: TextIO) -> None:
        self._sock = sock
        self._sock.settimeout(0)
        self._log = log
        self._capture = Capture()
        self._inbound = Inbound()
        self._orders: Inbox[Work | None] = Inbox()
        self._desk = Desk(self._capture, self._orders.put, Sender(sock).send, log, meter=Meter())
        self._tail = Tail(self._capture, self._desk)
        self._reading = threading.Lock()
        self._lookout = Lookout(sock, self._capture.readers)

    def run(self) -> None:
        """Serve until told to stop."""
        watch = threading.Thread(target=survive, args=(self._watch, self._log), name="nbflow-io", daemon=True)
        watch.start()
        survive(self._work, self._log)

    # The main thread

    def _work(self) -> None:
        self._desk.give_back(())  # the supervisor takes the first report for "ready"
        with selectors.DefaultSelector() as selector:
            for source in (self._sock, self._orders):
                selector.register(source, selectors.EVENT_READ)
            while True:
                if self._orders.wait(selector, None):
                    self._read()
                for order in self._orders.take():
                    if order is None:
                        return
                    place, parcels = order
                    self._lookout.turn_over()
                    settle_down(place)
                    self._desk.run(parcels)
                    self._lookout.turn_over()

    # The I/O thread

    def _watch(self) -> None:
        """Look after what comes up while the main thread is busy."""
        while True:
            found = self._lookout.wait()
            if found.has_output:
                self._capture.drain()
            if found.has_message:
                self._read()
            if found.is_late and self._desk.has_results:
                self._desk.send_done()
            if found.is_late or found.has_output:
                self._tail.look()

    # Both

    def _read(self) -> None:
        """Obey what has come. The end of the supervisor is the end of the process."""
        with self._reading:
            for frames in self._inbound.receive(self._sock):
                self._desk.obey(frames)
            if self._inbound.is_closed:
                os._exit(EXIT_BROKEN)


def survive(serve: Callable[[], None], log: TextIO) -> None:
    """Be a thread without which nothing goes on: a defect in it ends the process, and is told in the log."""
    try:
        serve()
    except BaseException:  # noqa: BLE001 - said in the log, which the supervisor reads
        traceback.print_exc(file=log)
        log.flush()
        os._exit(EXIT_BROKEN)


def settle_down(place: Place | None) -> None:
    """Go where the next bundle runs: the one before may have gone elsewhere, or the user has."""
    if place is None:
        return
    with suppress(OSError):  # a directory that is gone: calls that need it will say so
        os.chdir(place.directory)
    if sys.path != place.import_paths:
        sys.path[:] = place.import_paths
        importlib.invalidate_caches()
    for name in place.reloads:
        _load_anew(name)


def _load_anew(name: str) -> None:
    """Do with a module what its user did; where that fails, the call that needs it shall meet the reason."""
    module = sys.modules.get(name)
    if module is None:
        return
    try:
        importlib.reload(module)
    except BaseException:  # noqa: BLE001 - the module's own code raised it, and will again as it is imported
        sys.modules.pop(name, None)
