"""Own the waiting of a worker's I/O thread, which should cost nothing while calls come and go.

The thread sleeps while the worker is idle, and looks at the socket only when a bundle has run for a while:
else the main thread will read it soon, and without being disturbed.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from typing import Final, NamedTuple, final

from nbflow.worker.bell import Bell

__all__ = ["Found", "Lookout"]

TICK_MILLISECONDS: Final = 5.0
SLOW_TICK_MILLISECONDS: Final = 100.0


@final
class Found(NamedTuple):
    """Say what there is to do; `is_late` that the same bundle runs as a tick ago."""

    has_output: bool
    has_message: bool
    is_late: bool


@final
class Lookout:
    """Tell the I/O thread what to look after, with regard to what the main thread does.

    The main thread calls `turn_over`, at the beginning and at the end of each bundle; the I/O thread calls
    `wait`. `sock` is looked at during a long bundle only, `outputs` always.
    """

    def __init__(self, sock: socket.socket, outputs: Iterable[int]) -> None:
        self._sock = sock.fileno()
        self._bell = Bell()
        self._poll = select.poll()
        for source in (self._bell.fileno(), *outputs):
            self._poll.register(source, select.POLLIN)
        self._turns = 0
        self._seen = 0
        self._tick: float | None = None
        self._is_dozing = False
        self._is_listening = False

    def turn_over(self) -> None:
        """Note that a bundle begins, or that it ends: they take turns."""
        self._turns += 1
        if self._is_dozing:
            self._is_dozing = False
            self._bell.ring()

    def wait(self) -> Found:
        """Wait until there is something to do, or a tick has passed."""
        self._is_dozing = self._tick is None or self._tick > TICK_MILLISECONDS
        # One that turned over before the line above did not ring.
        ready = {number for number, _ in self._poll.poll(self._tick if self._turns == self._seen else 0)}
        if self._bell.fileno() in ready:
            self._bell.silence()
            ready.remove(self._bell.fileno())
        has_message = self._sock in ready
        return Found(len(ready) > has_message, has_message, self._has_gone_on(is_tick=not ready))

    def _has_gone_on(self, *, is_tick: bool) -> bool:
        """Tell whether the same bundle runs as a tick ago; see to the next tick."""
        turns = self._turns
        if turns != self._seen:
            self._seen = turns
            self._tick = TICK_MILLISECONDS
            self._listen(is_wanted=False)
        elif is_tick and turns % 2 == 0:
            self._tick = None
        elif is_tick and self._tick is not None:
            self._tick = min(2 * self._tick, SLOW_TICK_MILLISECONDS)
            self._listen(is_wanted=True)
            return True
        return False

    def _listen(self, *, is_wanted: bool) -> None:
        if is_wanted and not self._is_listening:
            self._poll.register(self._sock, select.POLLIN)
        elif self._is_listening and not is_wanted:
            self._poll.unregister(self._sock)
        self._is_listening = is_wanted
