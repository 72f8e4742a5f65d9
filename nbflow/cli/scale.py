"""Have just so many blocks from now on in a live run; 0 gives back all of them, when what they run has ended.

Exit code 2: there is no such run, or none that lives, or its workers do not come in blocks.
"""

from __future__ import annotations

import argparse

from nbflow.cli.output import json_of
from nbflow.cli.steering import add_run
from nbflow.control.client import connect

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_run(parser)
    parser.add_argument("blocks", type=int, metavar="BLOCKS", help="how many")
    parser.add_argument("--site", help="where; it needs no name when there is only one")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with connect(arguments.run) as client:
        result = client.call("scale", blocks=arguments.blocks, executor=arguments.site)
    print(json_of(result) if arguments.json else f"blocks from now on: {result['blocks']}")
    return 0
