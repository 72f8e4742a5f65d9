"""Own the `nbflow` command: one module for each of its words, loaded only when that word is used."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Protocol, cast

from nbflow._version import __version__
from nbflow.errors import NbflowError

__all__ = ["main"]

COMMANDS = {
    "demo": "run a sample flow and watch it in the terminal",
    "run": "run a script with a dataflow kernel loaded, and show its progress",
    "ps": "list the runs, or the tasks of one run",
    "show": "tell the story of a run, or of one of its tasks",
    "tail": "list what happened in a run, and what happens now",
    "nodes": "list blocks and nodes of a live run: what waits in a queue and why, what runs where",
    "scale": "have just so many blocks from now on in a live run",
    "watch": "watch a run in the terminal until it ends",
    "cancel": "cancel tasks of a live run",
    "retry": "run failed tasks of a live run again",
    "sql": "ask the journal of a run in SQL: its tasks, attempts, events, failures",
    "skip": "give failed tasks of a live run a value instead of running them",
    "failures": "group what failed in a run, and say what helps",
    "debug": "go back to a failed task: a debugger at its failure, a second run, a test",
    "undo": "take the last retry of a live run back",
    "release": "hold tasks no longer that wait for a failed one to be retried",
    "pause": "start nothing more in a live run: nothing at all, of an app, or some tasks",
    "resume": "start again what is paused",
    "report": "write the report of a run: one HTML file to keep or to send",
    "sites": "list, show, check the sites where work can run; see the job script of one",
    "export": "write what a run finished into one file, to go on from it elsewhere",
    "import": "take in the file of another, or of another machine",
    "gc": "remove remembered results that are old, or over the size limit",
    "doctor": "check this environment, or a site, and say what to do about each problem",
}

EPILOG = """\
commands:
{commands}

`nbflow COMMAND --help` tells more about each. A RUN is its name, the start of it, or `last`.

exit codes: 0 all is well, 1 a task failed or a problem was found, 2 wrong usage, or no such run or none that
lives, 130 stopped with Ctrl-C
"""

USAGE = 2
INTERRUPTED = 130


class Command(Protocol):
    """Be one word of the command line: a module of this package."""

    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when all is well, 1 for failed tasks or problems found, 2 for wrong usage."""
    try:
        return _dispatch(sys.argv[1:] if argv is None else list(argv))
    except SystemExit as stop:  # argparse leaves this way
        return stop.code if isinstance(stop.code, int) else USAGE
    except NbflowError as error:
        print(f"nbflow: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        # Whoever read our output has enough (`nbflow tail | head`): end quietly, at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(argv: list[str]) -> int:
    parser = _parser()
    chosen = parser.parse_args(argv)
    if chosen.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    command = cast("Command", import_module(f"nbflow.cli.{_module(chosen.command)}"))
    own = argparse.ArgumentParser(
        prog=f"nbflow {chosen.command}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.configure(own)
    return command.run(own.parse_args(chosen.arguments))


def _module(word: str) -> str:
    """Return the name of a word's module: some words are kept for Python itself."""
    return f"{word}_" if iskeyword(word) else word


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="nbflow",
        usage="nbflow COMMAND ...",
        description="Parallel workflows for the Jupyter notebook, seen from the terminal.",
        epilog=EPILOG.format(commands=lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nbflow {__version__}")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
