"""Ask the journal of a run, also of a live one, in SQL: a SELECT over `tasks`, `attempts`, `events` ...

    nbflow sql last "SELECT app, count(*), avg(seconds) FROM tasks GROUP BY app"

Nothing else than SELECT is answered. Ctrl-C ends a query that takes long.
Exit code 2: there is no such run, or the query has a mistake.
"""

from __future__ import annotations

import argparse
import csv
import sys

from nbflow.cli.catchup import catch_up
from nbflow.cli.output import json_of
from nbflow.journal.reader import open_run
from nbflow.journal.sql import ask

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="its name, the start of it, or `last`")
    parser.add_argument("query", metavar="QUERY", help="a SELECT")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON: an object for each row")
    form.add_argument("--csv", action="store_true", help="write comma-separated values below a head")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with open_run(arguments.run) as reader:
        catch_up(reader)
        answer = ask(reader.address, arguments.query)
    if arguments.json:
        print(json_of(answer.to_values()))
    elif arguments.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([answer.columns, *answer])
    else:
        print(answer.to_text(len(answer)))
    return 0
