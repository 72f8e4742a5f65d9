"""Run failed tasks of a live run again, and with them all that failed because of them.

It works while the notebook's cell blocks: the futures that the cell waits for become pending again and then
resolve. An app that was defined again meanwhile runs its newest definition; options that are given are
changed for these tasks alone. `nbflow undo` takes it back.
Exit code 2: there is no such run, or none that lives, or no such task; or an option that cannot be.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import steer
from nbflow.control.words import add_changes, add_choice, changes, who

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="a live run: its name, the start of it, or `last`")
    parser.add_argument("--failed", action="store_true", help="all that failed (what it does by itself)")
    add_choice(parser)
    parser.add_argument("--error", metavar="TYPE", help="only those with such an error, as `ValueError`")
    add_changes(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


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
