"""Own the words for how a worker process died, and the errors that calls get from it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final, final

from nbflow.errors import TaskError, WorkerLost
from nbflow.wire.messages import Call
from nbflow.worker.call import title
from nbflow.worker.exits import EXIT_MEMORY

__all__ = [
    "OUT_OF_MEMORY",
    "OomWatch",
    "closed",
    "lost",
    "lost_with_kernel",
    "lost_with_node",
    "never_started",
    "reason_of",
    "recalled",
]

OUT_OF_MEMORY: Final = "out of memory"

COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
    Path("/proc/vmstat"),
)

CRASH = "Native code crashed: look at the libraries that the call uses."
ADVICE = {
    OUT_OF_MEMORY: "Give the call less to hold at a time, or run fewer workers.",
    "killed by SIGKILL": "Somebody killed it; a system that is short of memory does so, too.",
    "killed by SIGTERM": "Somebody asked it to end.",
    "killed by SIGSEGV": CRASH,
    "killed by SIGBUS": CRASH,
    "killed by SIGABRT": CRASH,
    "killed by SIGILL": CRASH,
    "killed by SIGFPE": CRASH,
}
EXITED = "The call, or a library that it uses, ended the process: `os._exit` does."


@final
class OomWatch:
    """Tell whether the system killed something for want of memory since the last look.

    The control group's counter is believed first; the whole system's is the last resort.
    """

    def __init__(self, counters: tuple[Path, ...] = COUNTERS) -> None:
        self._counters = counters
        self._seen = self._count()

    def has_struck(self) -> bool:
        """Return whether the count grew since the last call, or since this watch was made."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        for path in self._counters:
            try:
                lines = path.read_text().splitlines()
            except OSError:
                continue
            for line in lines:
                name, _, number = line.partition(" ")
                if name == "oom_kill":
                    return int(number)
        return 0


def reason_of(status: int, *, is_oom: bool = False) -> str:
    """Return in words how the process with this `os.wait` status ended."""
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == EXIT_MEMORY:
        return OUT_OF_MEMORY
    if not os.WIFSIGNALED(status):
        return f"exit code {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL and is_oom:
        return OUT_OF_MEMORY
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {number}"


def lost(call: Call, place: str, reason: str, *, others: int, log: str) -> WorkerLost:
    """Return the error of a call whose worker died; `others` calls were in its hand, too."""
    shared = f" It had {others} other calls in hand; each is tried again by itself." if others else ""
    said = f"\nThe last that it said:\n{log}" if log else ""
    return WorkerLost(
        f"{title(call.directive, call.task)} was lost: its worker, {place}, died: {reason}."
        f"{shared} {ADVICE.get(reason, EXITED)}{said}",
        reason=reason,
        task=call.task,
    )


def never_started(call: Call, reason: str, *, starts: int, log: str) -> WorkerLost:
    """Return the error of a call for which no worker could be started."""
    return WorkerLost(
        f"{title(call.directive, call.task)} cannot run: {starts} workers in a row died as they started "
        f"({reason}). The Python environment seems to be broken: what they said comes next; restart the pool "
        f"when it is mended.\n{log}",
        reason=f"cannot start: {reason}",
        task=call.task,
    )


def lost_with_node(call: Call, node: str, reason: str) -> WorkerLost:
    """Return the error of a call whose whole node is gone."""
    return WorkerLost(
        f"{title(call.directive, call.task)} was lost with its node, {node}: {reason}. "
        "nbflow.nodes() shows what is left, and how each block ended.",
        reason=reason,
        task=call.task,
    )


def lost_with_kernel(call: Call) -> WorkerLost:
    """Return the error of a call of which a former process left nothing that can be used; it runs anew."""
    return WorkerLost(
        f"{title(call.directive, call.task)} was lost with the Jupyter kernel, or process, that sent it off",
        reason="its kernel ended",
        task=call.task,
    )


def closed(call: Call) -> WorkerLost:
    """Return the error of a call that was still there when its pool was closed."""
    return WorkerLost(
        f"{title(call.directive, call.task)} was stopped: the workers were told to end. "
        "Load nbflow and run it again.",
        reason="closed",
        task=call.task,
    )


def recalled(call: Call) -> TaskError:
    """Return the error of a call that goes back unstarted, to run elsewhere; no user sees it."""
    return TaskError(f"{title(call.directive, call.task)} was taken back before it started", task=call.task)
