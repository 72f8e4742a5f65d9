"""Write the report of a run, finished or not: one HTML file that needs nothing else.

It has the graph, failures with their tracebacks, progress, timeline, resources, tasks and environment.
Exit code 2: there is no such run, or the file cannot be written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nbflow.cli.output import json_of
from nbflow.errors import JournalError
from nbflow.live.document import write_report

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help="its name, the start of it, or `last`"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("run.html"), help="the file (default run.html)"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    try:
        path = write_report(arguments.run, arguments.output)
    except OSError as error:
        raise JournalError(f"the report cannot be written: {error}; give another file with -o") from error
    told = {"report": str(path.absolute()), "nbytes": path.stat().st_size}
    print(json_of(told) if arguments.json else f"wrote {path} ({told['nbytes']:,} bytes)")
    return 0
