"""Own one worker process as its crew sees it: the calls that it has, what it was told, how it shall end.

How it is reached is for `child` (and for lanes). All of it is used by one thread only, but for the load.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Final, final

from nbflow.core.ids import SlotId
from nbflow.wire.bundles import (
    Place,
    Report,
    decode_report,
    encode_place,
    encode_plain,
    encode_recall,
    encode_stop,
)
from nbflow.wire.frames import Buffer
from nbflow.wire.messages import Call
from nbflow.wire.values import Definitions
from nbflow.worker.call import seconds_allowed
from nbflow.worker.child import Child, import_paths
from nbflow.worker.happenings import Try
from nbflow.worker.load import Load
from nbflow.worker.reloads import RELOADS

__all__ = ["Ending", "WorkerProcess"]


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

    `backlog` holds calls that were not sent yet, `load` those that are being packed, `hand` those that were
    sent, oldest first; `dropped` those of the hand that nobody waits for. `walltime` is that of the only call
    in hand, `deadline` (monotonic clock) when the supervisor has to act if nothing was heard. `start` counts
    the processes that this place was given in a row without one getting ready. `unanswered` counts the
    recalls under way.
    """

    def __init__(self, slot: SlotId, child: Child, *, start: int = 1) -> None:
        self.slot: Final = slot
        self.child: Final = child
        self.start: Final = start
        self.backlog: deque[Call] = deque()
        self.load: Load | None = None
        self.hand: dict[Try, Call] = {}
        self.dropped: set[Try] = set()
        self.walltime: float | None = None
        self.deadline = math.inf
        self.ending: Ending | None = None
        self.is_ready = False
        self.is_condemned = False
        self.is_stopping = False
        self.is_over = False
        self.unanswered = 0
        self._patience = math.inf
        self._known: set[int] = set()
        self._definitions = Definitions()
        self._place: tuple[str, list[str]] | None = None
        self._mark = RELOADS.mark()

    @property
    def is_idle(self) -> bool:
        """Tell whether it has nothing to do."""
        return not self.hand and not self.backlog and self.load is None

    @property
    def takes_more(self) -> bool:
        """Tell whether what is sent to it now starts when the calls in hand are over."""
        is_clear = not self.backlog and self.load is None and self.walltime is None
        return is_clear and self.is_ready and not self.child.has_output and not self.is_closing

    @property
    def is_closing(self) -> bool:
        """Tell whether it must not be given any more."""
        return self.is_over or self.is_condemned or self.is_stopping or self.ending is not None

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

    def next_calls(self) -> list[Call]:
        """Take out of the backlog what may be sent now; a call with a walltime alone, as its time starts."""
        calls: list[Call] = []
        if self.load is not None or self.is_closing or self.walltime is not None:
            return calls
        while self.backlog and self.backlog[0].directive.walltime is None:
            calls.append(self.backlog.popleft())
        if self.backlog and not calls and not self.hand:
            calls.append(self.backlog.popleft())
        return calls

    def start_load(self, calls: Iterable[Call]) -> Load:
        """Return calls as a load to be packed; until it is sent or given up, no others are."""
        self.load = Load(calls, self._known)
        return self.load

    def send_load(self, load: Load) -> None:
        """Take the calls of a packed load in hand and start to send them."""
        self.load = None
        self._tell_place()
        frames = load.frames()
        self._take(load.calls.values(), frames)

    def unload(self) -> None:
        """Give up the packing: the calls of the load are the first to wait again."""
        if self.load is not None:
            self.backlog.extendleft(reversed(self.load.give_up()))
            self.load = None

    def send_plain(self, calls: Sequence[Call]) -> bool:
        """Take calls in hand and start to send them; return False where any needs a user's code for that."""
        frames = encode_plain(calls, self._known)
        if frames is None:
            return False
        self._tell_place()
        self._take(calls, frames)
        return True

    def _take(self, calls: Iterable[Call], frames: Sequence[Buffer]) -> None:
        for call in calls:
            self.hand[call.task, call.try_id] = call
            if call.directive.walltime is not None:  # then it is the only one
                self.allow(seconds_allowed(call.directive))
        # Also without calls: definitions may ride along that count as known from now on.
        self.child.put(frames)
        self.child.send()

    def _tell_place(self) -> None:
        """Let calls that are sent now run where this process is, with what it can import, if it can."""
        if not self.child.shares_files:
            return
        place = _directory(), sys.path
        self._mark, reloads = RELOADS.since(self._mark)
        if reloads or place != self._place:
            self._place = place[0], sys.path[:]
            self.child.put(encode_place(Place(place[0], import_paths(), list(reloads))))

    def ask_back(self, tries: Collection[Try]) -> None:
        """Ask for those of the tries that have not started; a `GivenBack` answers, in any case."""
        self.unanswered += 1
        self.child.put(encode_recall(tries))
        self.child.send()

    def ask_to_stop(self) -> None:
        """Ask it to end by itself."""
        self.is_stopping = True
        self.child.put(encode_stop())
        self.child.send()

    # Hearing and ending

    def report(self, frames: Sequence[Buffer]) -> Report:
        """Return what a message of it says."""
        return decode_report(frames, self._definitions)

    def why_due(self) -> Ending:
        """Return why it has to end when its deadline is over."""
        if self.is_stopping:
            return Ending.CLOSED
        return Ending.DROPPED if self.dropped else Ending.TIMEOUT

    def end(self, ending: Ending) -> None:
        """Have it killed with all that descends from it."""
        if self.ending is None:
            self.ending = ending
            self.child.kill()
        self.deadline = math.inf


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - asked for each bundle: a Path costs ten times as much
    except FileNotFoundError:  # it was removed
        return "/"
