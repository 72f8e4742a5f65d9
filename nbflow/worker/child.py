"""Own one worker process of this machine: how it is started, its two sockets, how it ends.

What the messages mean is not known here: a pilot only carries them, and starts its workers the same way.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, final

from nbflow.wire.frames import Buffer, CorruptMessage, Inbound, Outbound
from nbflow.worker.cores import available_cores
from nbflow.worker.keeper import WORD
from nbflow.worker.losses import OomWatch

__all__ = ["Child", "ChildProcess", "Remains", "environment_for", "import_paths"]

BOOT = "import sys; sys.path[:] = sys.argv.pop().split('\\n'); from nbflow.worker.main import main; main()"
"""Finds nbflow where this process found it, before anything of it is imported."""
SOCKET_NBYTES = 1 << 20
LOG_NBYTES = 8_192
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@final
@dataclass(frozen=True, slots=True)
class Remains:
    """Say how a worker ended: its `os.wait` status, the last that it wrote to its log, want of memory.

    `others` counts the calls that others had in hand in the same process.
    """

    status: int
    log: str
    is_oom: bool
    others: int = 0


class Child(Protocol):
    """A worker process, wherever it is. `place` is for messages, `has_output` tells what was not sent yet."""

    @property
    def place(self) -> str:
        """Return where it is."""

    @property
    def has_output(self) -> bool:
        """Tell whether something is still to be sent."""

    @property
    def shares_files(self) -> bool:
        """Tell whether it sees the files and the Python environment of this process."""

    def put(self, frames: Sequence[Buffer]) -> None:
        """Queue one message for it."""

    def send(self) -> None:
        """Send what can be sent without waiting."""

    def kill(self) -> None:
        """Have it ended, with all that descends from it."""

    def bury(self) -> Remains:
        """Release what belongs to one that has ended."""

    def abandon(self) -> None:
        """Let go of it at once; it takes that for the end of its owner."""


@final
class ChildProcess:
    """Be a worker process of this machine with its keeper, as the process that started it has them.

    `is_silent` tells that no message will come any more; `status` how it ended, once its keeper said so.
    """

    shares_files = True

    def __init__(self, oom: OomWatch, environment: Mapping[str, str], threads: int = 1) -> None:
        self.pid = 0
        self.status: int | None = None
        self.is_silent = False
        self._oom = oom
        self._inbound = Inbound()
        self._outbound = Outbound()
        self._words = b""
        self._launch(environment, threads)

    def _launch(self, environment: Mapping[str, str], threads: int) -> None:
        self.sock, sock = socket.socketpair()
        self.line, line = socket.socketpair()
        for end in (self.sock, sock):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_NBYTES)
        self.sock.settimeout(0)
        self.line.settimeout(0)
        numbers = [sock.fileno(), line.fileno()]
        paths = "\n".join(import_paths())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, *map(str, (*numbers, threads)), paths],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=numbers,
                start_new_session=True,
                env=environment,
            )
        except BaseException:
            self.abandon()
            raise
        finally:
            sock.close()
            line.close()

    @property
    def place(self) -> str:
        """Return where it is, for messages."""
        return f"process {self.pid} on {os.uname().nodename}"

    @property
    def has_output(self) -> bool:
        """Tell whether something is still to be sent."""
        return bool(self._outbound)

    def put(self, frames: Sequence[Buffer]) -> None:
        """Queue one message; its frames must not change until they are sent."""
        self._outbound.put(frames)

    def send(self) -> None:
        """Send what the socket takes."""
        with suppress(OSError):  # it has ended: its keeper will say so
            self._outbound.send(self.sock)

    def receive(self) -> list[list[bytearray]]:
        """Return the messages that have come since the last time. Raises CorruptMessage."""
        try:
            messages = self._inbound.receive(self.sock)
        except OSError:  # it ended with calls unread
            self.is_silent = True
            return []
        self.is_silent = self._inbound.is_closed
        return messages

    def receive_last(self) -> list[list[bytearray]]:
        """Return all messages that came before its end; to be called after that."""
        messages: list[list[bytearray]] = []
        with suppress(CorruptMessage):
            while not self.is_silent and select.select([self.sock], [], [], 0)[0]:
                messages += self.receive()
        return messages

    def hear_keeper(self) -> bool:
        """Read what the keeper says; return whether the worker has ended. `status` says how, if known."""
        try:
            words = self.line.recv(64)
        except BlockingIOError:
            return False
        except OSError:
            words = b""
        self._words += words
        numbers = [number for (number,) in WORD.iter_unpack(self._words[: len(self._words) // 4 * 4])]
        self.pid = numbers[0] if numbers else 0
        self.status = numbers[1] if len(numbers) > 1 else None
        return not words or self.status is not None

    def kill(self) -> None:
        """Have the keeper kill the worker with all that descends from it; the line says when that is done."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)

    def bury(self) -> Remains:
        """Release what belongs to a worker that has ended; return how it did."""
        assert self._process.stderr is not None
        with self._process.stderr as log:
            self._process.wait()
            os.set_blocking(log.fileno(), False)
            written = log.read() or b""
        if self.status is None:
            self.status = -self._process.returncode if self._process.returncode < 0 else 0
        self.abandon()
        text = written[-LOG_NBYTES:].decode(errors="replace").strip()
        return Remains(self.status, text, os.WIFSIGNALED(self.status) and self._oom.has_struck())

    def abandon(self) -> None:
        """Close the sockets; their other ends take that for the end of the supervisor."""
        self.sock.close()
        self.line.close()


def import_paths() -> list[str]:
    """Return where this process finds what it imports."""
    return [path for path in sys.path if isinstance(path, str)]


def environment_for(share: int) -> dict[str, str]:
    """Return the environment of a worker that shares this machine's cores with `share - 1` others."""
    environment = dict(os.environ)
    for name in THREAD_LIMITS:
        environment.setdefault(name, str(max(1, available_cores() // share)))
    # A notebook's own drawing backend needs the notebook's kernel.
    if environment.get("MPLBACKEND", "").startswith("module://"):
        environment["MPLBACKEND"] = "agg"
    return environment
