"""Own a worker process whose calls run in threads, each thread with a desk of its own.

Each message begins with the number of the thread that it is for, or from. One without more opens a thread,
as the first one from it says that it is there; `LEAVE` gives up a thread with the call in it, and the same
word comes back when it has ended.

The main thread does nothing but read. What Python code prints is kept call by call; what C code and programs
started by it write to file descriptors 1 and 2 is not: nobody could tell whose it is.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Final, TextIO, final

from nbflow.wire.frames import Buffer, Inbound
from nbflow.worker.bash import Command
from nbflow.worker.desk import Desk, Work
from nbflow.worker.exits import EXIT_BROKEN
from nbflow.worker.inbox import Inbox
from nbflow.worker.loop import Sender, settle_down, survive
from nbflow.worker.streams import ThreadOutput, captured_threads

__all__ = ["LEAVE", "ThreadedWorker", "number_of", "tagged"]

LEAVE: Final = b"leave"


def tagged(number: int, frames: Sequence[Buffer]) -> list[Buffer]:
    """Return a message for, or from, a thread."""
    return [number.to_bytes(4, "little"), *frames]


def number_of(frames: Sequence[Buffer]) -> int:
    """Return the number of the thread that a message is for, or from."""
    return int.from_bytes(frames[0], "little")


@final
class _Thread:
    """Run calls in a thread of its own. `send` sends a message from it, `bury` is told of its end."""

    def __init__(
        self,
        number: int,
        send: Callable[[Sequence[Buffer]], None],
        bury: Callable[[_Thread], object],
        log: TextIO,
    ) -> None:
        self.number = number
        self.is_left = False
        self._send = send
        self._bury = bury
        self._command: Command | None = None
        self._works: SimpleQueue[Work | None] = SimpleQueue()
        born: SimpleQueue[Desk] = SimpleQueue()
        # A daemon: a call that was given up must not keep the process from ending.
        threading.Thread(
            target=survive,
            args=(partial(self._run, born, log), log),
            name=f"nbflow-call-{number}",
            daemon=True,
        ).start()
        self.desk = born.get()

    def leave(self) -> None:
        """Stop the command that runs, if it is one, and start nothing more; what comes of it is not heard."""
        self.is_left = True
        self.desk.clear()
        if self._command is not None:
            self._command.stop()
        self._works.put(None)

    def _run(self, born: SimpleQueue[Desk], log: TextIO) -> None:
        output = ThreadOutput()
        desk = Desk(output, self._works.put, self._say, log, watch=self._note_command, hold_seconds=0.0)
        born.put(desk)
        desk.give_back(())
        while (work := self._works.get()) is not None:
            place, parcels = work
            settle_down(place)
            desk.run(parcels)
        output.close()
        if self.is_left:
            self._send([LEAVE])
        self._bury(self)

    def _say(self, frames: Sequence[Buffer]) -> None:
        if not self.is_left:
            self._send(frames)

    def _note_command(self, command: Command) -> None:
        self._command = command
        if self.is_left:  # given up before the command was there
            command.stop()


@final
class ThreadedWorker:
    """Run the calls that come over a socket in threads, and send back what came of them.

    `log` takes what the interpreter and this class have to say when they break.
    """

    def __init__(self, sock: socket.socket, log: TextIO) -> None:
        self._sock = sock
        self._sock.settimeout(0)
        self._log = log
        self._sender = Sender(sock)
        self._sending = threading.Lock()
        self._inbound = Inbound()
        self._threads: dict[int, _Thread] = {}
        self._ended: Inbox[_Thread] = Inbox()

    def run(self) -> None:
        """Serve until all threads have been told to stop, and have ended."""
        _hush()
        with captured_threads():
            survive(self._serve, self._log)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (self._sock, self._ended):
                selector.register(source, selectors.EVENT_READ)
            while True:
                if self._ended.wait(selector, None):
                    self._read()
                for thread in self._ended.take():
                    del self._threads[thread.number]
                    if not thread.is_left and not self._threads:
                        return

    def _read(self) -> None:
        """Obey what has come. The end of the supervisor is the end of the process."""
        for frames in self._inbound.receive(self._sock):
            number, content = number_of(frames), frames[1:]
            if not content:
                self._open(number)
            elif content[0] == LEAVE:
                self._threads[number].leave()
            elif (thread := self._threads.get(number)) is not None:
                thread.desk.obey(content)
        if self._inbound.is_closed:
            os._exit(EXIT_BROKEN)

    def _open(self, number: int) -> None:
        def send(frames: Sequence[Buffer]) -> None:
            with self._sending:
                self._sender.send(tagged(number, frames))

        self._threads[number] = _Thread(number, send, self._ended.put, self._log)


def _hush() -> None:
    """Let file descriptors 1 and 2 lead nowhere: a pipe that nobody reads would stop who writes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
