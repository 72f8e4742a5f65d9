"""Start nothing more in a live run: nothing at all, nothing of one app, or not these tasks.

What runs goes on, and what is submitted is kept. `nbflow resume` lets it go.
Exit code 2: there is no such run, or none that lives, or no such task.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_steering, steer

__all__ = ["configure", "run"]

configure = add_steering


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(arguments, "pause", app=arguments.app, tasks=arguments.task)
