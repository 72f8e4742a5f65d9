"""Own the changes: each is asked of whoever owns the thing, and written down."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import HTTPError, authenticated

from nbflow.control.client import connect_to
from nbflow.server.base import Handler
from nbflow.server.registry import opened

__all__ = ["Command"]

PATIENCE_SECONDS = 20.0
COMMANDS = frozenset(
    ("cancel", "retry", "skip", "draft", "edit", "undo", "release", "pause", "resume", "scale")
)
SIGNED = frozenset(("retry", "skip", "edit", "undo"))
"""Commands that take who asks, for the journal."""


def call(run: str, command: str, given: dict[str, Any]) -> Any:
    """Have a live run do a command."""
    with opened(run) as reader:
        info = reader.info()
    with connect_to(info, timeout=PATIENCE_SECONDS) as client:
        return client.call(command, **given)


class Command(Handler):
    """Have a live run do a command."""

    @authenticated
    @authorized
    async def post(self, run: str, command: str) -> None:
        """Do it."""
        if command not in COMMANDS:
            raise HTTPError(404, f"there is no such command; there are {', '.join(sorted(COMMANDS))}")
        given = self.body_object()
        if "by" in given or "command" in given:
            raise HTTPError(400, "who asks is not for the request to say")
        signed = {"by": f"Jupyter server ({self.current_user.display_name})"} if command in SIGNED else {}
        try:
            result = await self.wait(self.hub.calls, call, run, command, given | signed)
        except HTTPError as error:
            self.hub.metrics.commands.labels(command, "refused").inc()
            self.note(command, run[:80], given, str(error.log_message))
            raise
        self.hub.metrics.commands.labels(command, "done").inc()
        self.note(command, run, given, "done")
        self.tell(result)
