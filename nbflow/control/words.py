"""Own the words by which tasks are chosen and options changed: the same on the command line and in magics.

The name of a value in capitals says what belongs there; magics complete a line by it.
"""

from __future__ import annotations

import argparse
import getpass
from typing import Any

__all__ = ["add_choice", "add_retrying", "add_skipping", "changes", "told", "who"]

_CHANGES: dict[str, dict[str, Any]] = {
    "cores": {"type": int, "help": "cores that a call occupies"},
    "memory": {"help": "memory that a call needs, such as 2GB"},
    "gpus": {"type": int, "help": "GPUs that a call occupies"},
    "walltime": {"type": float, "help": "seconds after which a call is stopped"},
    "retries": {"type": int, "help": "how often a failed call is tried again"},
    "priority": {"type": int, "help": "higher goes first"},
    "executors": {"nargs": "+", "metavar": "LABEL", "help": "labels of the executors that may run it"},
    "sites": {"nargs": "+", "metavar": "SITE", "help": "names of the sites that may run it"},
    "cache": {"action": argparse.BooleanOptionalAction, "help": "remember results, or not"},
    "on_failure": {"choices": ("fail", "hold"), "help": "what tasks do that wait for it"},
}


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the words that choose tasks: `--app NAME`, `--task N ...`."""
    parser.add_argument("--app", metavar="APP", help="only tasks of this app")
    parser.add_argument(
        "--task", type=int, nargs="+", metavar="TASK", help="only the tasks with these numbers"
    )


def add_retrying(parser: argparse.ArgumentParser) -> None:
    """Add the words that choose failed tasks, and those that change options: `--memory 8GB` ..."""
    parser.add_argument("--failed", action="store_true", help="all that failed (what it does by itself)")
    add_choice(parser)
    _add_error(parser)
    for name, how in _CHANGES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=None, **how)


def add_skipping(parser: argparse.ArgumentParser) -> None:
    """Add the words that choose failed tasks, and their value."""
    parser.add_argument("--value", required=True, help="the value: a Python literal, as 0.5, None or 'text'")
    parser.add_argument("--failed", action="store_true", help="all that failed")
    add_choice(parser)
    _add_error(parser)


def _add_error(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--error", metavar="ERROR", help="only those with such an error, as `ValueError`")


def changes(given: argparse.Namespace) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name in _CHANGES if (value := getattr(given, name)) is not None}


def who(tool: str) -> str:
    """Return who asks, for the journal: the tool and its user."""
    try:
        return f"{tool} ({getpass.getuser()})"
    except (KeyError, OSError):  # a container may have no name for its user
        return tool


def told(command: str, count: int) -> str:
    """Return what a command did to how many tasks, as a sentence."""
    one, many = _SENTENCES[command]
    return (one if count == 1 else many).format(count)


_SENTENCES = {
    "cancel": ("cancelled {} task", "cancelled {} tasks"),
    "retry": ("{} task runs again", "{} tasks run again"),
    "skip": ("{} task goes on with the value", "{} tasks go on with the value"),
    "undo": ("{} task is as it was before the last retry", "{} tasks are as they were before the last retry"),
    "release": ("{} task is held no longer", "{} tasks are held no longer"),
    "pause": ("paused; {} task waits that could start", "paused; {} tasks wait that could start"),
    "resume": ("resumed; {} task could start", "resumed; {} tasks could start"),
}
