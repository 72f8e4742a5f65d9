"""Write what a run finished, and the runs that it went on from, into one file.

`nbflow.load(resume=FILE)` goes on from it: equal calls are bound to these results instead of being run. Only
who wrote a file can use it as it is; others take it in with `nbflow import --trust`. Exit code 2: there are
no such results, or the file is there or cannot be written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nbflow.cli.output import json_of
from nbflow.flow.former.sharing import export_results

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="its name, the start of it, or `last`")
    parser.add_argument("file", type=Path, metavar="FILE", help="the new file")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    path: Path = arguments.file
    count = export_results(arguments.run, path)
    told = {"file": str(path.absolute()), "results": count, "nbytes": path.stat().st_size}
    print(json_of(told) if arguments.json else f"wrote {count} results to {path} ({told['nbytes']:,} bytes)")
    return 0
