"""Own the answers to what is only asked: thin, since `shapes` and `registry` know the rest."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import HTTPError, authenticated

from nbflow._version import __version__
from nbflow.config.sites import site_rows
from nbflow.core.states import State
from nbflow.journal.places import state_dir
from nbflow.server import shapes
from nbflow.server.base import Handler, checked_number
from nbflow.server.registry import opened, snapshot

__all__ = [
    "About",
    "AuditLog",
    "Description",
    "Figures",
    "Missing",
    "Part",
    "Report",
    "Run",
    "Runs",
]
__all__ += ["Sites", "Task", "TaskOutput", "Tasks"]

REPORT_SECONDS = 60.0
STATES = {state.name.lower() for state in State}
SANDBOX = "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
SANDBOX += "script-src 'unsafe-inline'; font-src data:"


def read(run: str, shape: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """Open a run's journal and return what `shape` makes of it."""
    with opened(run) as reader:
        return shape(reader, *given)


class About(Handler):
    """Tell which nbflow answers, and for whom."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer."""
        user = self.current_user.username
        self.tell({"version": __version__, "user": user, "state_dir": str(state_dir())})


class Description(Handler):
    """Give the description of this API."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer."""
        self.finish(Path(__file__).with_name("openapi.json").read_bytes())


class Figures(Handler):
    """Give figures to Prometheus."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer."""
        text = self.hub.metrics.text(await self.hub.recent())
        self.finish(text, set_content_type="text/plain; version=0.0.4; charset=utf-8")


class AuditLog(Handler):
    """List who changed what."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer."""
        self.tell({"entries": await self.wait(self.hub.reads, self.hub.audit.last, self.limit)})


class Sites(Handler):
    """List the sites that work can run on."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer."""
        rows = await self.wait(self.hub.reads, site_rows)
        self.tell({"sites": [asdict(row) for row in rows]})


class Runs(Handler):
    """List runs."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer."""
        limit = self.limit
        listed = await self.wait(self.hub.listing, self.hub.registry.list, limit)
        self.tell({"runs": listed})


class Run(Handler):
    """Tell how one run stands."""

    @authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer."""
        self.tell(await self.wait(self.hub.calls, snapshot, run))


class Tasks(Handler):
    """List tasks of a run."""

    @authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer."""
        state, app = self.get_query_argument("state", None), self.get_query_argument("app", None)
        if state is not None and state not in STATES:
            raise HTTPError(400, f"state has to be one of {', '.join(sorted(STATES))}")
        self.tell(await self.wait(self.hub.reads, read, run, shapes.tasks, state, app, self.limit))


class Task(Handler):
    """Tell all about one task."""

    @authenticated
    @authorized
    async def get(self, run: str, task: str) -> None:
        """Answer."""
        number = checked_number("task", task)
        self.tell(await self.wait(self.hub.reads, read, run, shapes.story, number))


class TaskOutput(Handler):
    """Give what a task wrote."""

    @authenticated
    @authorized
    async def get(self, run: str, task: str) -> None:
        """Answer."""
        number = checked_number("task", task)
        self.tell(await self.wait(self.hub.reads, read, run, shapes.output, number))


class Part(Handler):
    """Give the events, graph, failures or cells of a run."""

    @authenticated
    @authorized
    async def get(self, run: str, part: str) -> None:
        """Answer."""
        since, limit = self.number("since"), self.limit
        given: dict[str, tuple[Any, ...]] = {
            "events": (shapes.events, since, limit),
            "graph": (shapes.graph, since or 0, limit),
            "failures": (shapes.failures,),
            "cells": (shapes.cells,),
        }
        shape, *rest = given[part]
        self.tell(await self.wait(self.hub.reads, read, run, shape, *rest))


class Report(Handler):
    """Give the report of a run, made by a process of its own: drawing it would hold up the server."""

    @property
    def content_security_policy(self) -> str:
        """Keep the page away from whatever else this server has."""
        return SANDBOX

    @authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer."""
        info = await self.wait(self.hub.reads, self._journal, run)
        with tempfile.TemporaryDirectory(prefix="nbflow-report-") as folder:
            page = Path(folder) / "run.html"
            made = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "nbflow", "report", info, "-o", str(page),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                _, problem = await asyncio.wait_for(made.communicate(), REPORT_SECONDS)
            except TimeoutError:
                made.kill()
                await made.wait()
                raise HTTPError(
                    409, f"the report takes over {REPORT_SECONDS:.0f} s: use nbflow report"
                ) from None
            if made.returncode != 0:
                raise HTTPError(409, f"no report could be made: {problem.decode(errors='replace').strip()}")
            self.finish(page.read_bytes(), set_content_type="text/html; charset=utf-8")

    @staticmethod
    def _journal(run: str) -> str:
        with opened(run) as reader:
            return str(reader.address)


class Missing(Handler):
    """Answer for all addresses that there are not."""

    @authenticated
    @authorized
    async def get(self, _: str) -> None:
        """Answer."""
        raise HTTPError(404, "there is no such address; see nbflow/api/openapi.json")

    post = put = patch = delete = head = get
