"""Hold tasks of a live run no longer that wait for a failed one to be retried: they fail as well.

All, those of one app, or some by their numbers: of held tasks, or of failed ones that hold others.
Exit code 2: there is no such run, or none that lives, or no such task.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_steering, steer

__all__ = ["configure", "run"]

configure = add_steering


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(arguments, "release", app=arguments.app, tasks=arguments.task)
