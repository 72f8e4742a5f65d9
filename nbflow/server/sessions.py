"""Own pilots that outlive kernels: listed, started before there is a kernel, and ended without one."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import HTTPError, authenticated

from nbflow.config.sessions import PilotSession, sessions, start_session, stop_session
from nbflow.server.base import Handler

__all__ = ["Session", "Sessions"]

MOST_BLOCKS = 1000
LONGEST_NAME = 4096


class Sessions(Handler):
    """List sessions, and start one."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List pilots at sites."""
        found = await self.wait(self.hub.reads, sessions)
        self.tell({"sessions": [shape(one) for one in found]})

    @authenticated
    @authorized
    async def post(self) -> None:
        """Ask for pilots before their notebook has a kernel. Nobody is here to answer what a login asks."""
        given = self._given()
        target = f"{given['site']} for {given['notebook']}"[:200]
        try:
            started = await self.wait(self.hub.calls, start_session, **given, ask=None)
        except HTTPError as error:
            self.note("start session", target, given, str(error.log_message))
            raise
        self.note("start session", target, given, "done")
        self.set_status(201)
        self.tell(shape(started))

    def _given(self) -> dict[str, Any]:
        """Return what was asked for; a notebook's path may start at the server's root, as in JupyterLab."""
        given = {"blocks": 1, "wait_seconds": 3600.0} | self.body_object()
        if unknown := given.keys() - {"site", "notebook", "blocks", "wait_seconds"}:
            raise HTTPError(400, f"a session has no {min(unknown)!r}")
        for name in ("site", "notebook"):
            value = given.get(name)
            if not isinstance(value, str) or not 0 < len(value) < LONGEST_NAME or not value.isprintable():
                raise HTTPError(400, f"{name} has to be a name of one line")
        if type(given["blocks"]) is not int or not 1 <= given["blocks"] <= MOST_BLOCKS:
            raise HTTPError(400, f"blocks has to be a whole number from 1 to {MOST_BLOCKS}")
        wait = given["wait_seconds"]
        if type(wait) not in (int, float) or not (wait > 0 and math.isfinite(wait)):
            raise HTTPError(400, "wait_seconds has to be a number greater than 0")
        return given | {"notebook": Path(self.settings["server_root_dir"]).expanduser() / given["notebook"]}


class Session(Handler):
    """End a session's pilots."""

    @authenticated
    @authorized
    async def delete(self, session: str) -> None:
        """Do it."""
        try:
            await self.wait(self.hub.calls, stop_session, session, ask=None)
        except HTTPError as error:
            self.note("stop session", session[:80], {}, str(error.log_message))
            raise
        self.note("stop session", session, {}, "done")
        self.set_status(204)
        self.finish()


def shape(session: PilotSession) -> dict[str, Any]:
    """Return what is told of a session."""
    return {**asdict(session), "state": session.state}
