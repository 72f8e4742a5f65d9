"""Own the extension's start and end, its configuration and its table of routes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from nbflow.journal.places import state_dir
from nbflow.server import commands, handlers, sessions, sockets
from nbflow.server.audit import Audit
from nbflow.server.base import Hub

__all__ = ["ROUTES", "NbflowApp"]

PREFIX: Final = r"/nbflow/api"
RUN: Final = r"/runs/([^/]+)"

ROUTES: Final = [
    (PREFIX + r"/?", handlers.About),
    (PREFIX + r"/openapi\.json", handlers.Description),
    (PREFIX + r"/metrics", handlers.Figures),
    (PREFIX + r"/audit", handlers.AuditLog),
    (PREFIX + r"/sites", handlers.Sites),
    (PREFIX + r"/sessions", sessions.Sessions),
    (PREFIX + r"/sessions/([^/]+)", sessions.Session),
    (PREFIX + r"/changes", sockets.RunsChanges),
    (PREFIX + r"/runs", handlers.Runs),
    (PREFIX + RUN, handlers.Run),
    (PREFIX + RUN + r"/changes", sockets.RunChanges),
    (PREFIX + RUN + r"/tasks", handlers.Tasks),
    (PREFIX + RUN + r"/tasks/([^/]+)", handlers.Task),
    (PREFIX + RUN + r"/tasks/([^/]+)/output", handlers.TaskOutput),
    (PREFIX + RUN + r"/(events|graph|failures|cells)", handlers.Part),
    (PREFIX + RUN + r"/report", handlers.Report),
    (PREFIX + RUN + r"/commands/([^/]+)", commands.Command),
    (PREFIX + r"/(.*)", handlers.Missing),
]


class NbflowApp(ExtensionApp):
    """Serve the runs of this user."""

    name = "nbflow"
    load_other_extensions = True

    audit_path = Unicode(
        "", help="The audit log of changes; by default audit.jsonl in nbflow's state directory."
    ).tag(config=True)

    def initialize_settings(self) -> None:
        """Make what the handlers share."""
        path = state_dir() / "audit.jsonl" if not self.audit_path else Path(self.audit_path)
        self.settings["nbflow_hub"] = Hub(audit=Audit(path))

    def initialize_handlers(self) -> None:
        """Hand over the routes."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Let go of journals, threads and the log."""
        self.settings["nbflow_hub"].close()
