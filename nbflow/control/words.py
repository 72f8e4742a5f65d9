"""Own the words by which tasks are chosen and options changed: the same on the command line and in magics."""

from __future__ import annotations

import argparse
import getpass
from typing import Any

__all__ = ["add_changes", "add_choice", "changes", "told", "who"]

_CHANGES: dict[str, dict[str, Any]] = {
    "cores": {"type": int, "help": "cores that a call occupies"},
    "memory": {"help": "memory that a call needs, such as 2GB"},
    "gpus": {"type": int, "help": "GPUs that a call occupies"},
    "walltime": {"type": float, "help": "seconds after which a call is stopped"},
    "retries": {"type": int, "help": "how often a failed call is tried again"},
    "priority": {"type": int, "help": "higher goes first"},
    "executors": {"nargs": "+", "help": "labels of the executors that may run it"},
    "sites": {"nargs": "+", "help": "names of the sites that may run it"},
    "cache": {"action": argparse.BooleanOptionalAction, "help": "remember results, or not"},
    "on_failure": {"choices": ("fail", "hold"), "help": "what tasks do that wait for it"},
}


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the words that choose tasks: `--app NAME`, `--task N ...`."""
    parser.add_argument("--app", help="only tasks of this app")
    parser.add_argument("--task", type=int, nargs="+", metavar="N", help="only the tasks with these numbers")


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Add the words that change options: `--memory 8GB`, `--walltime 60` ..."""
    for name, how in _CHANGES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=None, **how)


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
    "undo": ("{} task is as it was before the last retry", "{} tasks are as they were before the last retry"),
    "release": ("{} task is held no longer", "{} tasks are held no longer"),
    "pause": ("paused; {} task waits that could start", "paused; {} tasks wait that could start"),
    "resume": ("resumed; {} task could start", "resumed; {} tasks could start"),
}
