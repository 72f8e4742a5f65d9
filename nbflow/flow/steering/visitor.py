"""Own one connection to the control socket: bytes in, lines out, and how much of either may wait."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any, final

from nbflow.control.lines import MAX_REQUEST_BYTES, encode, failed
from nbflow.errors import ControlError

__all__ = ["Visitor"]

CHUNK_BYTES = 64 * 1024


@final
class Visitor:
    """Hold what one connection has sent and what it has still to take: one line at most, of each.

    `news` is what it subscribed to; `moved` is when it last sent or took something.
    """

    def __init__(self, connection: socket.socket, now: float) -> None:
        connection.settimeout(0)
        self.connection = connection
        self.news: Callable[[], dict[str, Any] | None] | None = None
        self.moved = now
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._is_leaving = False

    @property
    def is_busy(self) -> bool:
        """Tell whether it has still to take something: nothing is read from it, or told to it, until then."""
        return len(self._unsent) > 0

    def requests(self) -> Iterator[bytes]:
        """Yield the lines that came, as long as their answers are taken.

        A line without an end is answered here, and is the last.
        """
        while not self.is_busy and not self._is_leaving:
            line, end, rest = self._received.partition(b"\n")
            if not end:
                if len(line) > MAX_REQUEST_BYTES:
                    self._is_leaving = True
                    self.tell(failed(ControlError(f"a request has at most {MAX_REQUEST_BYTES} bytes")))
                return
            self._received = rest
            if self.news is None:  # who has subscribed is only listened to for the end
                yield bytes(line)

    def tell(self, values: dict[str, Any], *, is_last: bool = False) -> None:
        """Send an object, now as far as it goes."""
        self._is_leaving = self._is_leaving or is_last
        self._unsent = memoryview(encode(values))
        self.send()

    def read(self, now: float) -> bool:
        """Take in what has come; return whether the connection still stands."""
        try:
            data = self.connection.recv(CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._received += data
        self.moved = now
        return bool(data)

    def send(self, now: float | None = None) -> None:
        """Send on; what cannot be sent at once waits."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.connection.send(self._unsent) :]
                self.moved = self.moved if now is None else now
        except BlockingIOError:
            pass
        except OSError:  # it is gone: the next reading says so
            self._unsent = memoryview(b"")

    @property
    def has_left(self) -> bool:
        """Tell whether it was told the last that there is to tell."""
        return self._is_leaving and not self.is_busy
