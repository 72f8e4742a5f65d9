"""List the last events of a run, and with -f those that come, until the run is over.

Exit code 1: the run has failed tasks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from nbflow.cli.catchup import catch_up
from nbflow.cli.output import clock, exit_code, took
from nbflow.core.states import State
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.rows import Detail, EventRow

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="its name, the start of it, or `last` (the default)",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run is over")
    parser.add_argument(
        "-n", "--limit", type=int, default=20, help="how many past events (default 20; 0: all)"
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with open_run(arguments.run) as reader:
        catch_up(reader)
        since = max(0, reader.last_seq() - arguments.limit) if arguments.limit else 0
        for event in _events(reader, since, is_followed=arguments.follow):
            print(_as_json(event) if arguments.json else _as_line(event), flush=arguments.follow)
        return exit_code(reader.counts())


def _events(reader: Reader, since: int, *, is_followed: bool) -> Iterator[EventRow]:
    if is_followed:
        yield from reader.follow(since)
        return
    while rows := reader.events(since):
        yield from rows
        since = rows[-1].seq


def _as_line(event: EventRow) -> str:
    detail = Detail.from_json(event.detail)
    state = State(event.state).name.lower().replace("_", " ")
    seconds = None if detail.seconds is None else f"after {took(detail.seconds)}"
    told = " ".join(filter(None, (detail.slot, detail.cause, seconds, detail.error)))
    retried = f" (try {event.try_id})" if event.try_id > 1 else ""
    return f"{clock(event.time)}  task {event.task:<6} {state:<15} {event.event}{retried}  {told}".rstrip()


def _as_json(event: EventRow) -> str:
    detail = None if event.detail is None else json.loads(event.detail)
    return json.dumps(event._asdict() | {"state": State(event.state).name.lower(), "detail": detail})
