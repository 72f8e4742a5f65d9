"""Own the words of `%nbflow` that look at a run. They change nothing."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import Any

from nbflow import live
from nbflow.config.sessions import SessionTable, sessions, start_session, stop_session
from nbflow.config.sites import check_named, job_script, site_rows
from nbflow.core.states import State
from nbflow.flow import current
from nbflow.flow.load import load
from nbflow.flow.steering import words
from nbflow.flow.steering.failures import failures
from nbflow.flow.steering.nodes import nodes
from nbflow.journal.reader import open_run
from nbflow.live.headline import Headline
from nbflow.live.model import Summary
from nbflow.magics.word import Said, Word

__all__ = ["LOOKING", "ask"]

LAST_EVENTS = "SELECT * FROM (SELECT * FROM events ORDER BY seq DESC LIMIT {}) ORDER BY seq"


def ask(query: str, run: str | None = None) -> Any:
    """Answer a SELECT over a run's journal: as a pandas DataFrame where there is pandas, else as a table."""
    answer = words.sql(query, run)
    return answer.to_frame() if find_spec("pandas") else answer


def _status(_: argparse.Namespace) -> Said:
    if not current.is_loaded():
        return Said("nothing is loaded; %nbflow load starts a dataflow kernel")
    journal = current.current().journal
    journal.flush(timeout=1)
    with open_run(journal.address) as reader:
        counts = reader.counts()
    summary = Summary(tuple(counts[state] for state in State))
    return Said(f"{load()}\n{Headline(summary=summary)}")


def _watch(_: argparse.Namespace) -> None:
    live.watch()


def _progress(_: argparse.Namespace) -> None:
    live.progress()


def _takes_state(parser: argparse.ArgumentParser) -> None:
    states = [state.name.lower() for state in State]
    parser.add_argument(
        "state", nargs="?", type=str.lower, choices=states, metavar="STATE", help="only these"
    )
    parser.add_argument("--app", metavar="APP", help="only tasks of this app")


def _tasks(given: argparse.Namespace) -> Any:
    return words.tasks(state=given.state, app=given.app)


def _takes_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("limit", nargs="?", type=int, default=20, metavar="COUNT", help="how many (20)")


def _tail(given: argparse.Namespace) -> Any:
    return words.sql(LAST_EVENTS.format(given.limit))


def _takes_query(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", metavar="RUN", help="another run: its name, the start of it, or `last`")
    parser.add_argument("query", nargs=argparse.REMAINDER, metavar="QUERY", help="a SELECT")


def _sql(given: argparse.Namespace) -> Any:
    return ask(" ".join(given.query), given.run)


def _takes_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="its name, the start of it, or `last`")


def _failures(given: argparse.Namespace) -> Any:
    return failures(given.run)


def _takes_failed_task(parser: argparse.ArgumentParser) -> None:
    _takes_run(parser)
    parser.add_argument("task", type=int, metavar="TASK", help="the number of a task that failed")


def _debug(given: argparse.Namespace) -> None:
    if given.run is None:
        current.current().capsule(given.task).debug()
    else:
        words.capsule(given.run, given.task).debug()


def _nodes(_: argparse.Namespace) -> Any:
    return nodes()


def _takes_site(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for action, summary in {"check": "log in and look", "render": "show the script of its job"}.items():
        actions.add_parser(action, help=summary).add_argument("site", metavar="SITE", help="its name")
    actions.add_parser("sessions", help="list pilots, also those that a kernel left")
    started = actions.add_parser("start", help="ask for pilots for another notebook's next kernel")
    started.add_argument("site", metavar="SITE", help="its name")
    started.add_argument("notebook", metavar="NOTEBOOK", help="its path")
    started.add_argument("--blocks", type=int, default=1, metavar="N", help="how many jobs (default: 1)")
    stopped = actions.add_parser("stop", help="end those of a session that no kernel uses")
    stopped.add_argument("session", metavar="SESSION", help="its name")


def _sites(given: argparse.Namespace) -> Any:
    match given.action:
        case "check":
            return Said("\n".join(map(str, check_named(given.site))))
        case "render":
            return Said(job_script(given.site))
        case "start":
            return SessionTable([start_session(given.site, given.notebook, blocks=given.blocks)])
        case "stop":
            stop_session(given.session)
            return sessions()
        case "sessions":
            return sessions()
    rows = site_rows()
    width = max(len(row.site) for row in rows)
    return Said("\n".join(f"{row.site:<{width}}  {row.title or row.problem}" for row in rows))


LOOKING = {
    "status": Word(run=_status, examples=(("status", "count the tasks of the run by state"),)),
    "watch": Word(run=_watch, examples=(("watch", "show the live graph"),)),
    "progress": Word(run=_progress, examples=(("progress", "show one line"),)),
    "tasks": Word(
        run=_tasks,
        configure=_takes_state,
        examples=(
            ("tasks", "list the tasks"),
            ("tasks failed --app train", "list those in one state, of one app"),
        ),
    ),
    "tail": Word(
        run=_tail,
        configure=_takes_limit,
        examples=(("tail", "list the last events"), ("tail 100", "more of them")),
    ),
    "sql": Word(
        run=_sql,
        configure=_takes_query,
        is_verbatim=True,
        examples=(
            ("sql SELECT app, avg(seconds) FROM tasks GROUP BY app", "ask the journal, into a DataFrame"),
            ("sql --run last SELECT * FROM failures", "ask that of another run"),
        ),
    ),
    "failures": Word(
        run=_failures,
        configure=_takes_run,
        examples=(("failures", "group what failed, and say what helps"), ("failures last", "in any run")),
    ),
    "debug": Word(
        run=_debug,
        configure=_takes_failed_task,
        examples=(("debug 7", "open a debugger where task 7 failed"), ("debug last 7", "in any run")),
    ),
    "nodes": Word(run=_nodes, examples=(("nodes", "list blocks and nodes, and what runs where"),)),
    "sites": Word(
        run=_sites,
        configure=_takes_site,
        examples=(
            ("sites", "list the sites that are described"),
            ("sites check mycluster", "log in to one and look at what work needs there"),
            ("sites render mycluster", "show the job script that it would be sent"),
            ("sites sessions", "list pilots, also those that a kernel left"),
            ("sites start mycluster other.ipynb", "ask for pilots before that notebook has a kernel"),
            ("sites stop NAME", "end those that no kernel uses"),
        ),
    ),
}
