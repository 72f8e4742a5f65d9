"""Magics of IPython: cells that become apps, and `%nbflow` for a look at the run.

Importing this package costs nothing; `register` brings in IPython.
"""

from __future__ import annotations

from typing import Any

__all__ = ["register", "unregister"]


def register(ipython: Any) -> None:
    """Give an IPython shell the magics of nbflow: what `%load_ext nbflow` does."""
    from nbflow.magics.apps import AppMagics
    from nbflow.magics.completion import complete
    from nbflow.magics.line import LineMagics
    from nbflow.magics.plan import PlanMagics

    for magics in (AppMagics, LineMagics, PlanMagics):
        ipython.register_magics(magics)
    if complete not in ipython.Completer.custom_matchers:
        ipython.Completer.custom_matchers.append(complete)


def unregister(ipython: Any) -> None:
    """Take the magics away again: what `%unload_ext nbflow` does."""
    from nbflow.magics.apps import AppMagics
    from nbflow.magics.completion import complete
    from nbflow.magics.line import LineMagics
    from nbflow.magics.plan import PlanMagics

    for magics in (AppMagics, LineMagics, PlanMagics):
        for kind, names in magics.magics.items():
            for name in names:
                ipython.magics_manager.magics[kind].pop(name, None)
    if complete in ipython.Completer.custom_matchers:
        ipython.Completer.custom_matchers.remove(complete)
