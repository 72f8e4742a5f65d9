"""Own what is said at a control socket: one JSON object a line, each way. It reads and writes no socket.

A request is `{"command": "cancel", "arguments": {"app": "train"}}`; `arguments` may be missing. Requests are
answered in order: `{"ok": true, "result": ...}` or `{"ok": false, "error": {"type": ..., "message": ...}}`.
After the answer to `subscribe` only news come, one object a line, until one side hangs up.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any, final

from nbflow.errors import ControlError

__all__ = ["MAX_REQUEST_BYTES", "Request", "done", "encode", "failed", "peer_uid"]

MAX_REQUEST_BYTES = 64 * 1024

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


@final
@dataclass(frozen=True, slots=True)
class Request:
    """Be one command with its arguments."""

    command: str
    arguments: dict[str, Any]

    @classmethod
    def from_line(cls, line: bytes | bytearray) -> Request:
        """Read a request; raise ControlError that says what is wrong with it."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ControlError(f"this is not JSON: {error}") from None
        match values:
            case {"command": str(command), "arguments": dict(arguments), **rest} if not rest:
                return cls(command, arguments)
            case {"command": str(command), **rest} if not rest:
                return cls(command, {})
        raise ControlError('a request is {"command": "...", "arguments": {...}} in one line')


def encode(values: dict[str, Any]) -> bytes:
    """Write one object as a line; what JSON does not know is written as text."""
    return json.dumps(values, default=str, separators=(",", ":")).encode("ascii") + b"\n"


def done(result: Any) -> dict[str, Any]:
    """Return the answer to a request that was met."""
    return {"ok": True, "result": result}


def failed(error: BaseException) -> dict[str, Any]:
    """Return the answer to a request that could not be met."""
    return {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}}


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user at the other end of a Unix socket, None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    return int(uid)
