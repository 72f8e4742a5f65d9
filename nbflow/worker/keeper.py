"""Own the small process between a supervisor and its worker, which leaves nothing alive behind either.

On Linux it adopts whatever descends from the worker, wherever that moved (other sessions, other process
groups), and it runs no user code, so that it always answers. When the worker ends, it kills what the worker
left and reports how the worker ended. When the supervisor dies, or closes the line, it kills the worker.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Final, NoReturn

__all__ = ["WORD", "fork_worker"]

WORD: Final = struct.Struct("<i")
"""What a keeper says on its line, twice: first the worker's process id, at the end its `os.wait` status."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

ASK_SECONDS = 2.0
"""How long what the worker left may take to end by itself, once asked."""
END_SECONDS = 7.0
"""How long the death of what was killed is awaited; a process of another user cannot be killed at all."""


def fork_worker(line: socket.socket) -> None:
    """Return in a new child process, the worker; the calling process becomes its keeper and never returns.

    Has to be called before any thread is started.
    """
    keeper = os.getpid()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    bell, ringer = socket.socketpair()
    bell.settimeout(0)
    ringer.settimeout(0)
    signal.signal(signal.SIGINT, _ignore)
    signal.signal(signal.SIGCHLD, _ignore)
    signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
    worker = os.fork()
    if worker:
        _keep(worker, line, bell, ringer)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for unused in (line, bell, ringer):
        unused.close()
    os.setsid()
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:  # it died before the line above
        os._exit(1)


def _ignore(*_: object) -> None:
    """Do nothing. SIG_IGN would be inherited by the programs that a call starts, this is not."""


def _keep(worker: int, line: socket.socket, bell: socket.socket, ringer: socket.socket) -> NoReturn:
    """Wait until the worker has ended or the line is closed; then end everything, report, and exit."""
    # Whatever goes wrong in here, this process must not go on into the worker's own loop.
    try:
        _close_all_but(2, line.fileno(), bell.fileno(), ringer.fileno())
        line.sendall(WORD.pack(worker))
        status = _await_end(worker, line, bell)
        _end_descendants(worker)
        with suppress(OSError):  # the supervisor may be gone
            line.sendall(WORD.pack(status))
    finally:
        os._exit(0)


def _await_end(worker: int, line: socket.socket, bell: socket.socket) -> int:
    """Return the status of the worker once it has ended; kill it when the line is closed."""
    poll = select.poll()
    poll.register(line, select.POLLIN)
    poll.register(bell, select.POLLIN)
    while True:
        readable = {number for number, _ in poll.poll()}
        with suppress(BlockingIOError):
            bell.recv(4096)
        status = _reap(worker)
        if status is not None:
            return status
        if line.fileno() in readable:
            os.kill(worker, signal.SIGKILL)
            return os.waitpid(worker, 0)[1]


def _reap(worker: int) -> int | None:
    """Wait for all children that have ended; return the worker's status when it is among them."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == worker:
                return status
            if pid == 0:
                break
    return None


def _end_descendants(worker: int) -> None:
    """Kill what the dead worker left, by generations: the orphans of each become children of this."""
    with suppress(
        ProcessLookupError, PermissionError
    ):  # where nothing is adopted, its process group is all we know
        os.killpg(worker, signal.SIGKILL)
    now = time.monotonic()
    asked: set[int] = set()
    with suppress(ChildProcessError):
        while time.monotonic() < now + END_SECONDS:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                _end_children(asked, is_late=time.monotonic() > now + ASK_SECONDS)
                time.sleep(0.001)


def _end_children(asked: set[int], *, is_late: bool) -> None:
    """Ask each child to end, once, and kill those that do not.

    A launcher that is killed leaves behind what it started on other nodes; one that is asked does not.
    """
    import psutil  # only here: 30 ms that almost no worker's end has to pay

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if is_late:
                child.kill()
            elif child.pid not in asked:
                asked.add(child.pid)
                child.terminate()


def _close_all_but(*kept: int) -> None:
    """Close all other files: the worker's end of its socket must close when the worker dies."""
    start = 0
    for number in sorted(kept):
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process where the system knows it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
