"""Cancel unfinished tasks of a live run: all, those of one app, or some by their numbers.

It works while the notebook's cell blocks, and for scripts. What waits for a cancelled task is not run.
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
    parser.add_argument("--app", help="only the tasks of this app")
    parser.add_argument("--task", type=int, nargs="+", metavar="N", help="only the tasks with these numbers")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with connect(arguments.run) as client:
        result = client.call("cancel", app=arguments.app, tasks=arguments.task)
    cancelled = result["cancelled"]
    said = f"cancelled {cancelled} {'task' if cancelled == 1 else 'tasks'}"
    print(json_of(result) if arguments.json else said)
    return 0
