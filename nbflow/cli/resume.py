"""Start again what `nbflow pause` keeps back in a live run: everything, an app, or some tasks.

The last word counts: an app that is resumed while everything is paused runs.
Exit code 2: there is no such run, or none that lives, or no such task.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_steering, steer

__all__ = ["configure", "run"]

configure = add_steering


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(arguments, "resume", app=arguments.app, tasks=arguments.task)
