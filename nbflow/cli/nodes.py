"""List blocks and nodes of a live run: what waits in a queue and why, what is there, what runs where.

Exit code 2: there is no such run, or none that lives.
"""

from __future__ import annotations

import argparse

from nbflow.cli.output import json_of
from nbflow.control.client import connect
from nbflow.flow.steering.nodes import NodeRow, NodeTable

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="a live run: its name, the start of it, or `last` (the default)",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with connect(arguments.run) as client:
        rows = client.call("nodes")
    print(json_of(rows) if arguments.json else NodeTable([NodeRow(**row) for row in rows]))
    return 0
