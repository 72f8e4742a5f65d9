"""Cancel unfinished tasks of a live run: all, those of one app, or some by their numbers.

It works while the notebook's cell blocks, and for scripts. What waits for a cancelled task is not run.
Exit code 2: there is no such run, or none that lives, or no such task.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_steering, steer

__all__ = ["configure", "run"]

configure = add_steering


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(arguments, "cancel", app=arguments.app, tasks=arguments.task)
