"""Own the ways from ports of this machine to ports that a site sees."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Self, final

import asyncssh

from nbflow.errors import SiteError
from nbflow.sites.link import Link
from nbflow.sites.loop import LoopThread

__all__ = ["SshForward"]

CHUNK_NBYTES = 1 << 16
LOOPBACK = "127.0.0.1"


@final
@dataclass(frozen=True, slots=True)
class SshForward:
    """A port of this machine's loopback; each connection to it is carried by the login of that moment.

    The port stays the same when the SSH connection is lost and made again; connections through it do not.
    """

    thread: LoopThread
    server: asyncio.Server
    host: str
    port: int

    @classmethod
    async def open(cls, thread: LoopThread, link: Link, host: str, port: int) -> Self:
        """Listen on a free port for connections to `host` and `port` of the other side."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                connection = await link.connection()
                far_reader, far_writer = await connection.open_connection(host, port)
                with contextlib.closing(far_writer):  # a reset is no end for it
                    async with asyncio.TaskGroup() as both:
                        both.create_task(_pump(reader, far_writer))
                        both.create_task(_pump(far_reader, writer))
            except* (OSError, asyncssh.Error, SiteError):
                writer.transport.abort()  # as a port that nobody listens on: whoever connects tries again
            finally:
                writer.close()

        server = await asyncio.start_server(carry, LOOPBACK, 0)
        return cls(thread, server, LOOPBACK, server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening; connections that are open go on until the session is closed."""
        if self.thread.is_open:
            self.thread.call(self._close())

    async def _close(self) -> None:
        self.server.close()


async def _pump(
    reader: asyncio.StreamReader | asyncssh.SSHReader[bytes],
    writer: asyncio.StreamWriter | asyncssh.SSHWriter[bytes],
) -> None:
    while content := await reader.read(CHUNK_NBYTES):
        writer.write(content)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
