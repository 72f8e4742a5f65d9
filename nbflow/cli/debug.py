"""Go back to a failed task: by itself this opens a debugger at the failure, with the variables as they were.

It works when the run is over and its machines are gone. `q` leaves the debugger.
Exit code 2: there is no such run, or the task left no record.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nbflow.cli.output import json_of
from nbflow.postmortem.capsule import open_capsule

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="its name, the start of it, or `last`")
    parser.add_argument("task", type=int, metavar="TASK", help="the number of a task that failed")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--show", action="store_true", help="show frames and variables, and open nothing")
    what.add_argument(
        "--replay", action="store_true", help="run the call again here, with a debugger where it fails"
    )
    what.add_argument(
        "--test", nargs="?", const="", metavar="PATH", help="write a pytest file that fails as the task did"
    )
    what.add_argument("--json", action="store_true", help="write what --show shows as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    capsule = open_capsule(arguments.run, arguments.task)
    if arguments.json:
        print(json_of(capsule.to_values()))
    elif arguments.show:
        print(capsule)
    elif arguments.test is not None:
        print(capsule.as_test(Path(arguments.test) if arguments.test else None))
    elif arguments.replay:
        print(capsule.replay())
    else:
        capsule.debug()
    return 0
