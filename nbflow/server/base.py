"""Own what all requests have in common: who may ask, what they give, how errors are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, final

from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError

from nbflow.control.lines import MAX_REQUEST_BYTES
from nbflow.errors import ControlError, JournalError, NbflowError
from nbflow.server.audit import Audit
from nbflow.server.metrics import Metrics
from nbflow.server.registry import Registry

__all__ = ["Handler", "Hub"]

MOST_ROWS = 1000
BIGGEST = 999_999_999_999
FRESH_SECONDS = 0.5
RECENT_RUNS = 100

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


@final
@dataclass(kw_only=True)
class Hub:
    """Hold what the handlers of one server share. Journals and sockets are waited for in threads only."""

    audit: Audit
    metrics: Metrics = field(default_factory=Metrics)
    registry: Registry = field(default_factory=Registry)
    reads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "nbflow-reads"))
    calls: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "nbflow-calls"))
    listing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "nbflow-runs"))
    _recent: asyncio.Future[list[dict[str, Any]]] | None = None
    _asked: float = 0.0

    async def recent(self) -> list[dict[str, Any]]:
        """List recent runs; who asks within half a second shares one look at them."""
        loop = asyncio.get_running_loop()
        is_old = loop.time() - self._asked > FRESH_SECONDS
        if self._recent is None or (self._recent.done() and is_old):
            self._asked = loop.time()
            self._recent = loop.run_in_executor(self.listing, self.registry.list, RECENT_RUNS)
        return await asyncio.shield(self._recent)

    def close(self) -> None:
        """End the threads and let go of all files."""
        for pool in (self.reads, self.calls, self.listing):
            pool.shutdown(cancel_futures=True)
        self.registry.close()
        self.audit.close()


class Handler(APIHandler):
    """Be a handler whose every method needs a user, and whose every error is JSON."""

    auth_resource = "nbflow"

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
        if len(self.request.body) > MAX_REQUEST_BYTES:
            raise HTTPError(413, f"the body has {len(self.request.body)} bytes; at most {MAX_REQUEST_BYTES}")

    def number(
        self, name: str, default: int | None = None, *, most: int = BIGGEST, least: int = 0
    ) -> int | None:
        """Return a number of the query; raise 400 unless it is one, from `least` to `most`."""
        text = self.get_query_argument(name, None)
        return default if text is None else checked_number(name, text, most=most, least=least)

    @property
    def limit(self) -> int:
        """Return how many rows are wanted."""
        return self.number("limit", 100, most=MOST_ROWS, least=1) or 1

    def body_object(self) -> dict[str, Any]:
        """Return the JSON object that was sent; raise 415 or 400 when there is none."""
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise HTTPError(415, "send Content-Type: application/json")
        try:
            values = json.loads(self.request.body)
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, f"the body is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise HTTPError(400, "the body has to be a JSON object")
        return values

    async def wait(
        self,
        pool: ThreadPoolExecutor,
        function: Callable[_Given, _Answer],
        *given: _Given.args,
        **named: _Given.kwargs,
    ) -> _Answer:
        """Return what `function` returns, from a thread; nbflow's errors become 404 or 409."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(pool, lambda: function(*given, **named))
        except JournalError as error:
            raise HTTPError(404, str(error)) from error
        except (ControlError, NbflowError) as error:
            raise HTTPError(409, str(error)) from error

    def note(self, action: str, target: str, given: dict[str, Any], outcome: str) -> None:
        """Write into the audit log what was asked for, and what became of it."""
        user = self.current_user.username
        self.hub.audit.note(user=user, action=action, target=target, given=given, outcome=outcome)

    def tell(self, values: dict[str, Any]) -> None:
        """Answer with JSON."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(values, default=str))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the error as JSON, never with a traceback."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        told = error.log_message if isinstance(error, HTTPError) else None
        message = told.replace("%%", "%") if told else self._reason
        self.finish(json.dumps({"message": message}))


def checked_number(name: str, text: str, *, most: int = BIGGEST, least: int = 0) -> int:
    """Read a number; raise 400 unless it is one, from `least` to `most`."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
    if not least <= number <= most:
        raise HTTPError(400, f"{name} has to be a whole number from {least} to {most}")
    return number
