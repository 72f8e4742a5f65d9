"""Take in the results of a file that `nbflow export` wrote, as a run to go on from.

A file that you wrote here can be used as it is, with `nbflow.load(resume=FILE)`. One that somebody else
wrote, or you on another machine, is taken in with `--trust` alone: to use its results is to run what its
writer put there. Exit code 2: the file cannot be read, or is not yours.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nbflow.cli.output import json_of
from nbflow.flow.former.sharing import import_results

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `nbflow export` wrote")
    parser.add_argument("--trust", action="store_true", help="believe who wrote it, if that was not you")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    name = import_results(arguments.file, trust=arguments.trust)
    told = f"taken in as run {name}; to go on from it: nbflow.load(resume={name!r})"
    print(json_of({"run": name}) if arguments.json else told)
    return 0
