"""Own the waking of a thread that waits for files."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import final

__all__ = ["Bell"]


@final
class Bell:
    """Wake one thread from any other; it waits until `fileno` is readable."""

    def __init__(self) -> None:
        self._ear, self._clapper = socket.socketpair()
        self._ear.settimeout(0)
        self._clapper.settimeout(0)

    def fileno(self) -> int:
        """Return what the waiting thread has to watch for reading."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Wake the thread, now or when it next waits."""
        with suppress(BlockingIOError):  # it is ringing already
            self._clapper.send(b"!")

    def silence(self) -> None:
        """Stop ringing; called by the thread that was woken."""
        with suppress(BlockingIOError):
            self._ear.recv(64)

    def close(self) -> None:
        """Release the files; it must not be used any more."""
        self._ear.close()
        self._clapper.close()
