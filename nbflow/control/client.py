"""Own the asking: a connection to the control socket of a live run. It never reads the run's journal."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, final

from nbflow.control.lines import encode, peer_uid
from nbflow.control.places import find_socket
from nbflow.errors import ControlError, JournalError
from nbflow.journal.runs import RunInfo, RunStatus, find_run, runs

__all__ = ["Client", "connect", "connect_to"]

TIMEOUT_SECONDS = 30.0


def connect(run: str = "last", *, timeout: float = TIMEOUT_SECONDS) -> Client:
    """Reach the live run with this name, or the start of it, or `last`.

    Raises JournalError when there is no such run, ControlError when it does not live or cannot be reached.
    """
    try:
        found = find_run(run)
    except JournalError:
        # Where no journal can be made it is kept in memory; its run can be steered all the same.
        path = find_socket(run)
        if path is None:
            raise
        return Client(path, timeout=timeout)
    return connect_to(found, timeout=timeout)


def connect_to(run: RunInfo, *, timeout: float = TIMEOUT_SECONDS) -> Client:
    """Reach a live run; raise ControlError that says why not. `timeout` is for each answer, in seconds."""
    if run.status is RunStatus.ELSEWHERE:
        raise ControlError(f"the run {run.run} is on {run.host}: give this command there")
    if run.status is not RunStatus.RUNNING:
        raise ControlError(f"the run {run.run} does not live any more ({run.status}){_others()}")
    path = run.info.get("control")
    if not path:
        raise ControlError(f"the run {run.run} has no control socket; its log says why")
    return Client(Path(path), timeout=timeout)


def _others() -> str:
    alive = [run.run for run in runs() if run.status is RunStatus.RUNNING]
    return f"; alive: {', '.join(alive[:5])}" if alive else "; no run is alive"


@final
class Client:
    """Ask one live run, one question at a time. For one thread at a time; a context manager."""

    def __init__(self, path: Path, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Open the control socket at `path`; raise ControlError when nobody of ours answers there."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(str(path))
            if peer_uid(self._socket) not in (None, os.getuid()):
                raise ControlError(f"{path} belongs to another user")
        except OSError as error:
            self._socket.close()
            raise ControlError(f"nobody answers at {path}: {error}") from error
        except ControlError:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def call(self, command: str, **arguments: Any) -> Any:
        """Have a command done and return its result; arguments that are None are left out.

        Raises ControlError with what the run says when it refuses.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        self._send(encode({"command": command, "arguments": given}))
        answer = self._next()
        if answer is None:
            raise ControlError(f"the run hung up without an answer to {command}, at {self._path}")
        if not answer["ok"]:
            raise ControlError(answer["error"]["message"])
        return answer["result"]

    def subscribe(self, since: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the run's standing now and whenever it changed, to its end; see the command `subscribe`."""
        self.call("subscribe", since=since)
        self._socket.settimeout(None)
        while (news := self._next()) is not None:
            yield news

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever refused before all was read has hung up; what was said is there to be read
        except OSError as error:
            raise ControlError(f"no answer at {self._path}: {error}") from error

    def _next(self) -> dict[str, Any] | None:
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            return None
        except OSError as error:
            raise ControlError(f"no answer at {self._path}: {error}") from error
        return json.loads(line) if line.endswith(b"\n") else None
