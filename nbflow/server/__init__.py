"""Own the Jupyter server extension: runs over REST and WebSocket. It knows no dataflow kernel."""

from __future__ import annotations

from typing import Any

__all__ = ["_jupyter_server_extension_points"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell the Jupyter server what to load."""
    from nbflow.server.app import NbflowApp

    return [{"module": "nbflow.server", "app": NbflowApp}]
