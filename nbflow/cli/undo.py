"""Take the last retry of a live run back: its tasks end as they had ended before it.

The futures that the notebook holds give the former exception again, also where the retry succeeded.
Exit code 2: there is no such run, or none that lives.
"""

from __future__ import annotations

import argparse

from nbflow.cli.steering import add_run, steer
from nbflow.control.words import who

__all__ = ["configure", "run"]

configure = add_run


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return steer(arguments, "undo", by=who("nbflow undo"))
