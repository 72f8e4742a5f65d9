"""Own one process on the other side of an SSH connection, from its start to its certain end."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from typing import Any, Self, final

import asyncssh

from nbflow.errors import SiteError
from nbflow.sites.loop import LoopThread

__all__ = ["RemoteProcess", "SshChannel"]

CHUNK_NBYTES = 1 << 16
STARTED = "nbflow-started"
START = f'echo {STARTED} $$; exec "$@"'
KILL = 'set -- $(ps -o pgid= -p "$1") && kill -9 "-$1"'
KILL_SECONDS = 10.0


@final
class RemoteProcess:
    """A command in an SSH channel, known by its process id.

    Closing a channel leaves its process running, and many servers take no signals (those before OpenSSH 7.9;
    root's session on any), so it is killed by its id. What a login profile prints before it is dropped.
    """

    def __init__(
        self, connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes]
    ) -> None:
        self._connection = connection
        self._process = process
        self._pid = ""

    @classmethod
    async def start(
        cls, connection: asyncssh.SSHClientConnection, words: list[str], *, keeps_stderr: bool
    ) -> Self:
        """Start a command and wait until it is known by its id."""
        process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(
            shlex.join(["sh", "-c", START, "sh", *words]),
            encoding=None,
            stderr=asyncssh.PIPE if keeps_stderr else asyncssh.DEVNULL,
        )
        started = cls(connection, process)
        try:
            await started._read_id()
        except BaseException:
            process.close()
            raise
        return started

    async def communicate(self, given: bytes) -> tuple[int | None, bytes, bytes]:
        """Give it its input and wait for its end; return exit code (None: connection lost), output."""
        with contextlib.suppress(OSError, asyncssh.Error):  # it may have ended without reading
            self._process.stdin.write(given)
            self._process.stdin.write_eof()
        done = await self._process.wait()
        return done.returncode, _bytes(done.stdout), _bytes(done.stderr)

    async def send(self, content: bytes) -> None:
        """Write to its stdin. Raises SiteError when it has ended."""
        try:
            self._process.stdin.write(content)
            await self._process.stdin.drain()
        except (OSError, asyncssh.Error) as error:
            raise SiteError("the process of this channel has ended and reads no more") from error

    async def receive(self) -> bytes:
        """Wait for what it writes to stdout; return b"" once it has ended."""
        try:
            return await self._process.stdout.read(CHUNK_NBYTES)
        except (OSError, asyncssh.Error):
            return b""

    async def end(self) -> None:
        """Kill it, with what it has started, when it still runs."""
        if self._process.returncode is None and not self._connection.is_closed():
            kill = shlex.join(["sh", "-c", KILL, "sh", self._pid])
            with contextlib.suppress(OSError, asyncssh.Error):
                await asyncio.wait_for(self._connection.run(kill), KILL_SECONDS)
        self._process.close()

    async def _read_id(self) -> None:
        while line := await self._process.stdout.readline():
            word, _, number = line.decode(errors="replace").strip().partition(" ")
            if word == STARTED and number.isdecimal():
                self._pid = number
                return
        done = await self._process.wait()
        told = _bytes(done.stderr).decode(errors="replace").strip()
        raise SiteError(f"the login shell ended with {done.returncode} before it ran anything: {told}")


@final
class SshChannel:
    """The stdin and stdout of a process on the other side, for threads that have no event loop."""

    def __init__(self, thread: LoopThread, process: RemoteProcess) -> None:
        self._thread = thread
        self._process = process

    def send(self, content: bytes) -> None:
        """Write to its stdin; wait while it does not read."""
        if not self._thread.is_open:
            raise SiteError("the session of this channel is closed")
        self._thread.call(self._process.send(content))

    def receive(self) -> bytes:
        """Wait for what it writes to stdout; return b"" once it has ended."""
        return self._thread.call(self._process.receive()) if self._thread.is_open else b""

    def close(self) -> None:
        """End the process."""
        if self._thread.is_open:
            self._thread.call(self._process.end())


def _bytes(written: Any) -> bytes:
    return written if isinstance(written, bytes) else b""
