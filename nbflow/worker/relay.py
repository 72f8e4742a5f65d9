"""Be the relay on a login node, where lanes can connect whose kernel nodes cannot reach; and its other half.

It joins byte streams and understands none: the lanes' encryption goes from end to end, so it needs no trust.
It runs behind a `standby`. To each HELLO on stdin it answers in JSON: the `address` for lanes, the `port` for
the kernel's half (loopback only), and the `token` that a connection there has to begin with. Then it writes a
line for each lane that waits to be fetched, and again while it waits. It ends with LEAVE, and with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections import deque
from contextlib import suppress
from typing import Any, Final, final

from nbflow.worker.facts import own_address
from nbflow.worker.standby import HELLO, LEAVE

__all__ = ["WAITING", "Stream", "join", "main"]

CHUNK_NBYTES: Final = 1 << 18
WAITING: Final = b"waiting"
LOOPBACK: Final = "127.0.0.1"
TOKEN_SECONDS: Final = 10.0
REMINDER_SECONDS: Final = 1.0

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def join(one: Stream, other: Stream) -> None:
    """Carry bytes both ways between two streams until either ends; then both are closed."""
    ways = [asyncio.ensure_future(_carry(one[0], other[1])), asyncio.ensure_future(_carry(other[0], one[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        for _, writer in (one, other):
            writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_NBYTES):
            writer.write(chunk)
            await writer.drain()


@final
class Relay:
    """Pair each lane with a connection that fetches it, in the order in which they came."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(16).encode()
        self._lanes: deque[Stream] = deque()

    async def serve(self, host: str, port: int) -> None:
        """Listen until told to leave; on a port of its own where `port` is 0."""
        outer = await asyncio.start_server(self._take_lane, host, port)
        inner = await asyncio.start_server(self._fetch, LOOPBACK, 0)
        address = f"tcp://{host}:{_port(outer)}"
        loop = asyncio.get_running_loop()
        reminding = loop.create_task(self._remind())
        while (line := await loop.run_in_executor(None, sys.stdin.buffer.readline)) not in (b"", LEAVE):
            if line == HELLO:
                _say({"address": address, "port": _port(inner), "token": self._token.decode()})
                for _ in self._lanes:
                    _say_waiting()
        reminding.cancel()

    async def _remind(self) -> None:
        """Say again of lanes that still wait: whoever came to fetch one may have been lost on the way."""
        before: set[Stream] = set()
        while True:
            await asyncio.sleep(REMINDER_SECONDS)
            for _ in before.intersection(self._lanes):
                _say_waiting()
            before = set(self._lanes)

    async def _take_lane(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lanes.append((reader, writer))
        _say_waiting()

    async def _fetch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = b""
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(TOKEN_SECONDS):
                said = await reader.readexactly(len(self._token))
        if not secrets.compare_digest(said, self._token) or not self._lanes:
            writer.close()
            return
        await join(self._lanes.popleft(), (reader, writer))


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def _say_waiting() -> None:
    sys.stdout.write(f"{WAITING.decode()}\n")
    sys.stdout.flush()


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Relay on the address, and the port, that the arguments name."""
    asyncio.run(Relay().serve(own_address(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
