"""Give failed tasks of a live run a value instead of running them; what waits for them goes on with it.

    nbflow skip last --task 7 --value 0.5
    nbflow skip last --error FileNotFoundError --value None

The value is a Python literal. The futures that the notebook holds give it; `nbflow undo` takes it back.
Exit code 2: there is no such run, or none that lives, or no such task; or a value that cannot be read.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_run, steer
from nbflow.control.words import add_skipping, who

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_run(parser)
    add_skipping(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(
        arguments,
        "skip",
        value=arguments.value,
        failed=arguments.failed,
        app=arguments.app,
        tasks=arguments.task,
        error=arguments.error,
        by=who("nbflow skip"),
    )
