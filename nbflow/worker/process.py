"""Own one worker process as its supervisor sees it: its sockets, its end, and the calls that it has.

All of it is used by the supervisor's thread only.
"""

from __future__ import annotations

import math
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from enum import Enum
from typing import Final, final

from nbflow.core.ids import SlotId
from nbflow.wire.bundles import (
    Place,
    Report,
    decode_report,
    encode_bundle,
    encode_place,
    encode_plain,
    encode_recall,
    encode_stop,
)
from nbflow.wire.frames import Buffer, CorruptMessage, Inbound, Outbound
from nbflow.wire.messages import Call
from nbflow.wire.values import Definitions
from nbflow.worker.cores import available_cores
from nbflow.worker.happenings import Try
from nbflow.worker.keeper import WORD

__all__ = ["Ending", "WorkerProcess"]

BOOT = "import sys; sys.path[:] = sys.argv.pop().split('\\n'); from nbflow.worker.main import main; main()"
"""Finds nbflow where this process found it, before anything of it is imported."""
SOCKET_NBYTES = 1 << 20
LOG_NBYTES = 8_192
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@final
class Ending(Enum):
    """Name why the supervisor ends a worker."""

    DROPPED = "its call was dropped"
    TIMEOUT = "the walltime of its call ended"
    CLOSED = "the pool was closed"
    CORRUPT = "it sent what is no message"


@final
class WorkerProcess:
    """Be one worker process, with the calls that are on their way to it.

    `backlog` holds calls that were not sent yet, `hand` those that were, oldest first; `dropped` those of the
    hand that nobody waits for. `walltime` is that of the only call in hand, `deadline` (monotonic clock) when
    the supervisor has to act if nothing was heard. `start` counts the processes that this place was given in
    a row without one getting ready. `unanswered` counts the recalls under way. `events` is what the
    supervisor's selector watches the socket for.
    """

    def __init__(self, slot: SlotId, *, start: int = 1, share: int = 1) -> None:
        self.slot: Final = slot
        self.start: Final = start
        self.backlog: deque[Call] = deque()
        self.hand: dict[Try, Call] = {}
        self.dropped: set[Try] = set()
        self.walltime: float | None = None
        self.deadline = math.inf
        self.ending: Ending | None = None
        self.is_ready = False
        self.is_condemned = False
        self.is_stopping = False
        self.is_silent = False
        self.is_over = False
        self.unanswered = 0
        self.events = 0
        self.pid = 0
        self.status: int | None = None
        self._patience = math.inf
        self._known: set[int] = set()
        self._definitions = Definitions()
        self._place: tuple[str, list[str]] | None = None
        self._inbound = Inbound()
        self._outbound = Outbound()
        self._words = b""
        self._launch(share)

    def _launch(self, share: int) -> None:
        self.sock, sock = socket.socketpair()
        self.line, line = socket.socketpair()
        for end in (self.sock, sock):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_NBYTES)
        self.sock.settimeout(0)
        self.line.settimeout(0)
        numbers = [sock.fileno(), line.fileno()]
        paths = "\n".join(_import_paths())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, *map(str, numbers), paths],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=numbers,
                start_new_session=True,
                env=_environment(share),
            )
        except BaseException:
            self.sock.close()
            self.line.close()
            raise
        finally:
            sock.close()
            line.close()

    @property
    def is_idle(self) -> bool:
        """Tell whether it has nothing to do."""
        return not self.hand and not self.backlog

    @property
    def takes_more(self) -> bool:
        """Tell whether what is sent to it now starts when the calls in hand are over."""
        is_clear = self.is_ready and not self.backlog and self.walltime is None and not self._outbound
        return is_clear and not self.is_closing

    @property
    def is_closing(self) -> bool:
        """Tell whether it must not be given any more."""
        return self.is_over or self.is_condemned or self.is_stopping or self.ending is not None

    @property
    def place(self) -> str:
        """Return where it is, for messages."""
        return f"process {self.pid} on {os.uname().nodename}"

    @property
    def has_output(self) -> bool:
        """Tell whether something is still to be sent."""
        return bool(self._outbound)

    def allow(self, walltime: float | None) -> None:
        """Note the seconds that the call in hand may take from when it can start; None for any number."""
        self.walltime = walltime
        if not self.dropped and not self.is_stopping:
            seconds = math.inf if walltime is None or not self.is_ready else walltime
            self.deadline = time.monotonic() + seconds

    def expect_answer(self, seconds: float) -> None:
        """Note how long it may take to answer a recall, from when it can hear it."""
        self._patience = seconds
        if self.is_ready:
            self.deadline = time.monotonic() + seconds

    def get_ready(self) -> None:
        """Note that it takes calls now: the time of the one that it has starts here."""
        self.is_ready = True
        if self.dropped:
            self.deadline = time.monotonic() + self._patience
        else:
            self.allow(self.walltime)

    def forgive(self, key: Try) -> None:
        """Note that a dropped try is gone by itself; when it was the last, nothing needs to be ended."""
        self.dropped.discard(key)
        if not self.dropped:
            self.is_condemned = False
            self.allow(self.walltime)

    # Sending

    def send_calls(self, calls: list[Call]) -> Sequence[tuple[Call, BaseException]]:
        """Take calls in hand and start to send them; return those that cannot travel, with the reasons."""
        self._tell_place()
        frames, failures = encode_bundle(calls, self._known)
        failed = {id(call) for call, _ in failures}
        self._take([call for call in calls if id(call) not in failed], frames)
        return failures

    def send_plain(self, calls: Sequence[Call]) -> bool:
        """Do the same for calls that need no user's code to be sent; return False where any does."""
        frames = encode_plain(calls, self._known)
        if frames is None:
            return False
        self._tell_place()
        self._take(calls, frames)
        return True

    def _take(self, calls: Sequence[Call], frames: Sequence[Buffer]) -> None:
        for call in calls:
            self.hand[call.task, call.try_id] = call
        # Also without calls: definitions may ride along that count as known from now on.
        self._outbound.put(frames)
        self.send()

    def _tell_place(self) -> None:
        """Let calls that are sent now run where this process is, with what it can import."""
        place = _directory(), sys.path
        if place != self._place:
            self._place = place[0], sys.path[:]
            self._outbound.put(encode_place(Place(place[0], _import_paths())))

    def ask_back(self, tries: Collection[Try]) -> None:
        """Ask for those of the tries that have not started; a `GivenBack` answers, in any case."""
        self.unanswered += 1
        self._outbound.put(encode_recall(tries))
        self.send()

    def ask_to_stop(self) -> None:
        """Ask it to end by itself."""
        self.is_stopping = True
        self._outbound.put(encode_stop())
        self.send()

    def send(self) -> None:
        """Send what the socket takes."""
        with suppress(OSError):  # it has ended: its keeper will say so
            self._outbound.send(self.sock)

    # Hearing

    def reports(self) -> list[Report]:
        """Return what it reported since the last time. Raises CorruptMessage."""
        try:
            messages = self._inbound.receive(self.sock)
        except OSError:  # it ended with calls unread
            self.is_silent = True
            return []
        self.is_silent = self._inbound.is_closed
        return [decode_report(frames, self._definitions) for frames in messages]

    def last_reports(self) -> list[Report]:
        """Return all that it reported before its end; to be called after that."""
        reports: list[Report] = []
        with suppress(CorruptMessage):
            while not self.is_silent and select.select([self.sock], [], [], 0)[0]:
                reports += self.reports()
        return reports

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

    # Ending

    def end(self, ending: Ending) -> None:
        """Have the keeper kill the worker with all that descends from it; the line says when that is done."""
        if self.ending is None:
            self.ending = ending
            with suppress(OSError):
                self.line.shutdown(socket.SHUT_WR)
        self.deadline = math.inf

    def bury(self) -> str:
        """Release what belongs to a worker that has ended; return the last that it wrote to its log."""
        assert self._process.stderr is not None
        with self._process.stderr as log:
            self._process.wait()
            os.set_blocking(log.fileno(), False)
            written = log.read() or b""
        if self.status is None:
            self.status = -self._process.returncode if self._process.returncode < 0 else 0
        self.close_sockets()
        return written[-LOG_NBYTES:].decode(errors="replace").strip()

    def close_sockets(self) -> None:
        """Close the sockets; their other ends take that for the end of the supervisor."""
        self.sock.close()
        self.line.close()


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - asked for each bundle: a Path costs ten times as much
    except FileNotFoundError:  # it was removed
        return "/"


def _import_paths() -> list[str]:
    return [path for path in sys.path if isinstance(path, str)]


def _environment(share: int) -> dict[str, str]:
    """Return the environment of a worker that shares this machine's cores with `share - 1` others."""
    environment = dict(os.environ)
    for name in THREAD_LIMITS:
        environment.setdefault(name, str(max(1, available_cores() // share)))
    # A notebook's own drawing backend needs the notebook's kernel.
    if environment.get("MPLBACKEND", "").startswith("module://"):
        environment["MPLBACKEND"] = "agg"
    return environment
