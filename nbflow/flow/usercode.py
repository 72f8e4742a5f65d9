"""Own the thread in which a user's small functions run: done-callbacks and retry handlers.

The loop never runs a user's code: what does must not hold up ten thousand other tasks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import final

__all__ = ["UserCode"]

log = logging.getLogger(__name__)


@final
class UserCode:
    """Run functions one after the other in a thread that is started when the first one comes."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, function: Callable[[], object]) -> None:
        """Let `function()` run soon. What it raises goes to the log, as the standard library does."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="nbflow-callbacks", daemon=True)
            self._thread.start()
        self._queue.put(function)

    def close(self, seconds: float) -> None:
        """Let what is queued end, waiting at most `seconds`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            if thread is not threading.current_thread():
                thread.join(seconds)

    def _work(self) -> None:
        while (function := self._queue.get()) is not None:
            try:
                function()
            except BaseException:
                # Not Exception: a callback that calls sys.exit must not keep those after it from running.
                log.exception("a done-callback raised")
