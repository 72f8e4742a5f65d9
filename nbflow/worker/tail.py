"""Own what is told of a call while it runs: now and then, the end of what it has written so far.

For the I/O thread. A long call is told of less often: a pilot keeps what it said for a kernel that is away.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

from nbflow.wire.secrecy import has_secret_name
from nbflow.worker.capture import Capture, Written
from nbflow.worker.desk import Desk, Running
from nbflow.worker.witness import veiled

__all__ = ["Tail"]

FIRST_SECONDS: Final = 0.5
SHARE: Final = 0.05
"""Of the time that a call has run: so long it is until the next word on it."""
LONGEST_SECONDS: Final = 10.0


@final
class Tail:
    """Tell of the call that the main thread runs, when it writes and takes long."""

    def __init__(self, capture: Capture, desk: Desk) -> None:
        self._capture = capture
        self._desk = desk
        self._main = threading.get_ident()
        self._running: Running | None = None
        self._began = self._due = 0.0
        self._told = 0
        self._push: threading.Thread | None = None

    def look(self) -> None:
        """See whether there is anything to tell; call it while a bundle runs."""
        running, now = self._desk.running, time.monotonic()
        if running is not self._running:
            self._running, self._began, self._due, self._told = running, now, now + FIRST_SECONDS, 0
            self._push = None
        elif running is not None and now >= self._due:
            self._tell(running, now)

    def _tell(self, running: Running, now: float) -> None:
        if self._push is None:
            # Beside this thread, which has to empty the pipes: they may be full.
            self._push = threading.Thread(target=self._capture.push, name="nbflow-push", daemon=True)
            self._push.start()
            return
        if self._push.is_alive():
            return
        self._push = None
        self._due = now + min(max(FIRST_SECONDS, SHARE * (now - self._began)), LONGEST_SECONDS)
        nbytes = self._capture.nbytes
        if nbytes != self._told:
            self._told = nbytes
            self._desk.tell_written(running, lambda: self._written(running))

    def _written(self, running: Running) -> Written:
        _, _, fn, args, kwargs = running
        return veiled(self._capture.peek(), fn, args, kwargs, *_secrets_of(self._main))


def _secrets_of(thread: int) -> Iterator[Mapping[str, Any]]:
    """Yield the variables with secret names of the calls that a thread is in.

    Only where there are any: Python keeps what it shows of a frame's variables as long as the frame lives.
    """
    frame = sys._current_frames().get(thread)
    while frame is not None:
        names = [name for name in frame.f_code.co_varnames if has_secret_name(name)]
        if names:
            known = frame.f_locals
            yield {name: known[name] for name in names if name in known}
        frame = frame.f_back
