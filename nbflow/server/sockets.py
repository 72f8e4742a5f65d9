"""Own the WebSockets: each tells one client what is new, one message at a time, so that nothing piles up."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from nbflow.errors import JournalError
from nbflow.journal.reader import Reader
from nbflow.journal.runs import RunStatus
from nbflow.server import shapes
from nbflow.server.base import MOST_ROWS, Hub, checked_number
from nbflow.server.registry import opened

__all__ = ["RunChanges", "RunsChanges"]

POLL_SECONDS = 0.25
SLOWEST_SECONDS = 10.0
SLOW = 1013
"""The code of a WebSocket that is closed because its client takes nothing: try again later."""


class _Socket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Tell one client what is new, for as long as it listens."""

    auth_resource = "nbflow"
    _teller: asyncio.Task[None] | None = None

    @property
    def hub(self) -> Hub:
        """Return what all handlers share."""
        hub: Hub = self.settings["nbflow_hub"]
        return hub

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse who is nobody, whatever the method: some of them come with tornado."""
        await super().prepare()
        if not self.current_user:
            raise HTTPError(403)

    @ws_authenticated
    @authorized
    async def get(self, *given: str, **named: str) -> None:
        """Open the WebSocket."""
        await self.check(*given)
        await super().get(*given, **named)

    async def check(self, *given: str) -> None:
        """Raise HTTPError for what cannot be told of."""

    def open(self, *given: str, **named: str) -> None:
        """Begin to tell."""
        super().open(*given, **named)
        self.hub.metrics.sockets.inc()
        self._teller = asyncio.create_task(self._told(*given))

    def on_message(self, message: str | bytes) -> None:
        """Take no notice: clients only listen."""

    def on_close(self) -> None:
        """Stop telling."""
        self.hub.metrics.sockets.dec()
        if self._teller is not None:
            self._teller.cancel()
        super().on_close()

    async def send(self, values: dict[str, Any]) -> None:
        """Send a message and wait until the client took it."""
        await asyncio.wait_for(self.write_message(json.dumps(values, default=str)), SLOWEST_SECONDS)

    async def news(self, *given: str) -> None:
        """Send messages until there is nothing more to tell."""
        raise NotImplementedError

    async def _told(self, *given: str) -> None:
        try:
            await self.news(*given)
        except TimeoutError:
            self.close(SLOW, "too slow")
        except WebSocketClosedError:
            return
        except JournalError as error:
            self.close(1011, str(error)[:100])
        else:
            self.close(1000)


class RunsChanges(_Socket):
    """Tell of all recent runs."""

    async def news(self, *_: str) -> None:
        """Send all recent runs, then those that changed."""
        told: dict[str, Any] | None = None
        while True:
            now = {run["run"]: run for run in await self.hub.recent()}
            before = told or {}
            changed = [run for name, run in now.items() if before.get(name) != run]
            gone = [name for name in before if name not in now]
            if changed or gone or told is None:
                await self.send({"runs": changed, "gone": gone})
            told = now
            await asyncio.sleep(2 * POLL_SECONDS)


class RunChanges(_Socket):
    """Tell of one run."""

    async def check(self, *given: str) -> None:
        """Raise 404 when there is no such run, 400 for a `since` that is none."""
        self._since = checked_number("since", self.get_query_argument("since", "0"))
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self.hub.reads, self._exists, given[0])
        except JournalError as error:
            raise HTTPError(404, str(error)) from error

    @staticmethod
    def _exists(run: str) -> None:
        with opened(run):
            pass

    async def news(self, *given: str) -> None:
        """Send what happened since, until the run is over."""
        loop = asyncio.get_running_loop()
        told: dict[str, Any] = {}
        with opened(given[0]) as reader:
            while True:
                now = await loop.run_in_executor(self.hub.reads, self._look, reader)
                if now["events"] or now["over"] or now["tasks"] != told.get("tasks"):
                    await self.send(now)
                if now["over"]:
                    return
                told, self._since = now, now["seq"]
                if len(now["events"]) < MOST_ROWS:
                    await asyncio.sleep(POLL_SECONDS)

    def _look(self, reader: Reader) -> dict[str, Any]:
        # Asked first: what is written after this look is not over.
        is_over = reader.info().status in (RunStatus.ENDED, RunStatus.DIED)
        now = shapes.news(reader, self._since, MOST_ROWS)
        return now | {"over": is_over and len(now["events"]) < MOST_ROWS}
