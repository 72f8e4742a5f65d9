"""Group what failed in a run by error, place in the code and reason, and say what helps.

Exit code 1: something failed. Exit code 2: there is no such run.
"""

from __future__ import annotations

import argparse

from nbflow.cli.catchup import catch_up
from nbflow.cli.output import json_of
from nbflow.flow.steering.failures import failures
from nbflow.journal.reader import open_run

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="its name, the start of it, or `last` (the default)",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with open_run(arguments.run) as reader:
        catch_up(reader)
    found = failures(arguments.run)
    print(json_of(found.to_values()) if arguments.json else found)
    return int(bool(found))
