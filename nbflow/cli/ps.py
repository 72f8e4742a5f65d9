"""List the runs on this machine, or the tasks of one run, newest first.

Exit code 1: the run has failed tasks.
"""

from __future__ import annotations

import argparse
from collections import Counter

from nbflow.cli.catchup import catch_up
from nbflow.cli.output import (
    clock,
    counted,
    exit_code,
    json_of,
    run_values,
    status_of,
    took,
)
from nbflow.core.states import State
from nbflow.errors import JournalError
from nbflow.journal.grid import aligned
from nbflow.journal.places import runs_dir
from nbflow.journal.reader import open_run
from nbflow.journal.runs import RunInfo, RunStatus, runs

__all__ = ["configure", "run"]

STATES = [state.name.lower() for state in State]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run: its name, the start of it, or `last`")
    parser.add_argument("--state", choices=STATES, metavar="STATE", help=f"one of: {', '.join(STATES)}")
    parser.add_argument("--app", help="only the tasks of this app")
    parser.add_argument("-n", "--limit", type=int, default=20, help="how many to list (default 20; 0: all)")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    return _list_runs(arguments) if arguments.run is None else _list_tasks(arguments)


def _list_runs(arguments: argparse.Namespace) -> int:
    found = runs()
    shown = [(each, _counts(each)) for each in found[: arguments.limit or None]]
    if arguments.json:
        print(json_of([run_values(each, counts) for each, counts in shown]))
    elif not shown:
        print(f"there is no run in {runs_dir()} yet; `nbflow demo` makes one")
    else:
        print(aligned([("run", "started", "took", "status", "tasks", "program"), *map(_run_cells, shown)]))
        if len(found) > len(shown):
            print(f"... and {len(found) - len(shown)} older ones (--limit 0 lists all)")
    return 0


def _list_tasks(arguments: argparse.Namespace) -> int:
    with open_run(arguments.run) as reader:
        catch_up(reader)
        counts = reader.counts()
        table = reader.tasks(
            state=arguments.state, app=arguments.app, limit=arguments.limit or None, newest_first=True
        )
    if arguments.json:
        print(json_of([record.to_values() for record in table]))
    else:
        print(table.to_text(rows=len(table)))
        print(f"in the whole run: {counted(counts)}")
    return exit_code(counts)


def _counts(run: RunInfo) -> Counter[State]:
    if run.status is RunStatus.UNREADABLE:
        return Counter()
    try:
        with open_run(run.path) as reader:
            return reader.counts()
    except JournalError:  # one damaged journal must not hide all other runs; `nbflow show` says what it has
        return Counter()


def _run_cells(shown: tuple[RunInfo, Counter[State]]) -> tuple[str, ...]:
    run, counts = shown
    seconds = None if run.ended is None else run.ended - run.started
    started = clock(run.started, "%Y-%m-%d %H:%M")
    return run.run, started, took(seconds), status_of(run), run.problem or counted(counts), run.program
