"""Own a ZeroMQ socket in a thread that waits in a selector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import zmq

from nbflow.wire.frames import Buffer

__all__ = ["LARGE", "Port", "content"]

LARGE = 1 << 16
"""Bytes from which a frame is sent from where it is, and received into memory that may be written to."""


@final
class Port:
    """Send and receive messages of many frames, never waiting.

    A selector watches `fileno`; it tells only of changes. So before each wait, `has_input` has to be asked.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)

    def fileno(self) -> int:
        """Return what a selector has to watch for reading."""
        return int(self.socket.getsockopt(zmq.FD))

    @property
    def has_input(self) -> bool:
        """Tell whether a message is there."""
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def send(self, frames: Sequence[Buffer]) -> None:
        """Send one message. Raises zmq.ZMQError where it cannot be."""
        self.socket.send_multipart(frames, zmq.DONTWAIT, copy=False)

    def receive(self, limit: int) -> Iterator[list[Any]]:
        """Give up to so many messages that are there, as lists of zmq.Frame."""
        for _ in range(limit):
            try:
                yield self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        self.socket.close(0)


def content(frame: Any) -> Buffer:
    """Return what a received frame holds, as memory of our own."""
    buffer = frame.buffer
    return bytearray(buffer) if len(buffer) >= LARGE else bytes(buffer)
