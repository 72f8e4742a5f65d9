"""Run failed tasks of a live run again, and with them all that failed because of them.

It works while the notebook's cell blocks: the futures that the cell waits for become pending again and then
resolve. An app that was defined again meanwhile runs its newest definition.
Exit code 2: there is no such run, or none that lives, or no such task.
"""

from __future__ import annotations

import argparse

from nbflow.cli.output import json_of
from nbflow.control.client import connect

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="a live run: its name, the start of it, or `last`")
    parser.add_argument("--failed", action="store_true", help="all that failed (what it does by itself)")
    parser.add_argument("--app", help="only the tasks of this app")
    parser.add_argument(
        "--task", type=int, nargs="+", metavar="N", help="only these, also when they were cancelled"
    )
    parser.add_argument("--error", metavar="TYPE", help="only those with such an error, as `ValueError`")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with connect(arguments.run) as client:
        result = client.call("retry", app=arguments.app, tasks=arguments.task, error=arguments.error)
    reopened = result["reopened"]
    said = f"{reopened} {'task runs' if reopened == 1 else 'tasks run'} again"
    print(json_of(result) if arguments.json else said)
    return 0
