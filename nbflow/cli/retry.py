"""Run failed tasks of a live run again, and with them all that failed because of them.

It works while the notebook's cell blocks: the futures that the cell waits for become pending again and then
resolve. An app that was defined again meanwhile runs its newest definition; options that are given are
changed for these tasks alone. `nbflow undo` takes it back.
Exit code 2: there is no such run, or none that lives, or no such task; or an option that cannot be.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_run, steer
from nbflow.control.words import add_retrying, changes, who

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_run(parser)
    add_retrying(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(
        arguments,
        "retry",
        app=arguments.app,
        tasks=arguments.task,
        error=arguments.error,
        options=changes(arguments) or None,
        by=who("nbflow retry"),
    )
