"""Own this end of the way from a site's relay: lanes that wait there are fetched, to the port for lanes."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, final

from nbflow.core.ids import ExecutorId
from nbflow.errors import NbflowError, SiteError
from nbflow.sites.session import Channel, Forward, Session
from nbflow.worker.relay import WAITING, join
from nbflow.worker.standby import LEAVE

__all__ = ["Tunnel"]

log = logging.getLogger("nbflow")

LOOPBACK: Final = "127.0.0.1"
RESTART_SECONDS: Final = 1.0


@final
class Tunnel:
    """Keep a relay running at a site. `address` is where lanes find it, on `relay_port`.

    `argv` returns what starts one that listens on a port; it outlives the session, and is found again.
    """

    def __init__(
        self, label: ExecutorId, session: Session, argv: Callable[[int], Sequence[str]], port: int, relay: int
    ) -> None:
        self._label = label
        self._session = session
        self._argv = argv
        self._port = port
        self._is_open = True
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._forward: Forward | None = None
        try:
            self._open(relay)
        except BaseException:
            self._loop.close()
            raise
        self._threads = [
            threading.Thread(target=self._run, name=f"nbflow-tunnel-{label}", daemon=True),
            threading.Thread(target=self._listen, name=f"nbflow-relay-{label}", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the relay and all that goes through it."""
        self._is_open = False
        with suppress(SiteError):  # it has ended
            self._channel.send(LEAVE)
        self.leave()

    def leave(self) -> None:
        """Leave the relay to the next kernel, and end this half of the way."""
        self._is_open = False
        self._channel.close()
        if self._forward is not None:
            self._forward.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join()

    def _open(self, relay: int) -> None:
        """Find the relay, or start one. Raises SiteError."""
        self._channel: Channel = self._session.start(self._argv(relay))
        self._lines = self._read()
        # Set-up lines of a site may print what they like before.
        said = json.loads(next((line for line in self._lines if line.startswith(b"{")), b"null"))
        if said is None:
            self._channel.close()
            raise SiteError(
                f"the relay at {self._label} did not start: `nbflow doctor {self._label}` says why"
            )
        self.address = str(said["address"])
        self.relay_port = int(self.address.rpartition(":")[2])
        self._token = str(said["token"]).encode()
        before, self._forward = self._forward, self._session.forward(LOOPBACK, int(said["port"]))
        if before is not None:
            before.close()

    def _read(self) -> Iterator[bytes]:
        """Give the lines that the relay writes."""
        rest = b""
        while chunk := self._channel.receive():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines

    def _listen(self) -> None:
        """Fetch each lane that waits; when the relay, or the way to it, is gone, have it again."""
        while True:
            with suppress(NbflowError, RuntimeError):  # the session, or the loop, was closed
                for line in self._lines:
                    if line == WAITING:
                        self._loop.call_soon_threadsafe(self._begin)
            if not self._is_open:
                return
            time.sleep(RESTART_SECONDS)
            try:
                self._open(self.relay_port)
            except NbflowError as error:
                log.warning("nbflow: the relay of a site cannot be reached: %s", error)

    def _begin(self) -> None:
        task = self._loop.create_task(self._fetch())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self) -> None:
        assert self._forward is not None
        try:
            near = await asyncio.open_connection(LOOPBACK, self._port)
            far = await asyncio.open_connection(self._forward.host, self._forward.port)
        except OSError as error:  # the relay says it again
            log.warning("nbflow: a lane could not be fetched from its relay: %s", error)
            return
        far[1].write(self._token)
        await join(far, near)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end_tasks())
            self._loop.close()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
