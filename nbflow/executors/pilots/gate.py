"""Own who may connect: the answers to ZeroMQ's questions about keys (RFC 27, ZAP)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, final

import zmq
from zmq.utils import z85

from nbflow.worker.port import Port

__all__ = ["Gate", "key_of"]

ADDRESS: Final = "inproc://zeromq.zap.01"
VERSION: Final = b"1.0"
CURVE: Final = b"CURVE"
KEY_NBYTES: Final = 32


@final
class Gate:
    """Let in connections whose key is allowed, and no others.

    Each message from one of them then carries its key as User-Id. A key that is forbidden opens no new
    connection; the one that it has goes on, so who reads messages has to ask `is_allowed` too.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.port = Port(context.socket(zmq.REP))
        self.port.socket.bind(ADDRESS)
        self._allowed: set[str] = set()

    def allow(self, key: str) -> None:
        """Let this public key (in Z85) in from now on."""
        self._allowed.add(key)

    def forbid(self, key: str) -> None:
        """Let it in no longer."""
        self._allowed.discard(key)

    def is_allowed(self, key: str) -> bool:
        """Tell whether this key is let in."""
        return key in self._allowed

    def serve(self) -> None:
        """Answer the questions that are there."""
        while self.port.has_input:
            request = self.port.socket.recv_multipart(zmq.DONTWAIT)
            _, number, _, _, _, mechanism, *credentials = request
            key = self._key(mechanism, credentials)
            code, text, user = (b"200", b"OK", key) if key else (b"400", b"unknown key", "")
            self.port.socket.send_multipart([VERSION, number, code, text, user.encode(), b""])

    def _key(self, mechanism: bytes, credentials: list[bytes]) -> str:
        """Return the key that is let in; empty for any other."""
        if mechanism != CURVE or len(credentials) != 1 or len(credentials[0]) != KEY_NBYTES:
            return ""
        key = z85.encode(credentials[0]).decode()
        return key if self.is_allowed(key) else ""


def key_of(frames: Sequence[Any]) -> str:
    """Return the key under which a message came; ZeroMQ says so of each."""
    try:
        return str(frames[0].get("User-Id"))
    except (IndexError, zmq.ZMQError):
        return ""
