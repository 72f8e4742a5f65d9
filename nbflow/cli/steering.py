"""Own what the commands that steer a live run share: how they ask, and what they say of the answer."""

from __future__ import annotations

import argparse
from typing import Any

from nbflow.cli.output import json_of
from nbflow.control.client import connect
from nbflow.control.words import add_choice, told

__all__ = ["add_run", "add_steering", "steer"]


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every command that a live run takes."""
    parser.add_argument("run", metavar="RUN", help="a live run: its name, the start of it, or `last`")
    parser.add_argument("--json", action="store_true", help="write JSON")


def add_steering(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that takes a run and a choice of its tasks."""
    add_run(parser)
    add_choice(parser)


def steer(arguments: argparse.Namespace, command: str, **given: Any) -> int:
    """Have a live run do `command`, and tell how many tasks it was about."""
    with connect(arguments.run) as client:
        result = client.call(command, **given)
    (count,) = result.values()
    print(json_of(result) if arguments.json else told(command, count))
    return 0
