"""List the sites that work can run on; show one with its origins, check it for real, render its job script.

Or list the pilots at them, and whose they are (`sessions`), `start` some before there is a kernel, and `stop`
those that none uses.
Exit code 1: a site's description is wrong, or a check failed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, astuple, fields
from typing import Any

from nbflow.cli.output import json_of
from nbflow.cli.site_checks import add_site_argument, tell_checks
from nbflow.config.sessions import PilotSession, SessionTable, sessions, start_session, stop_session
from nbflow.config.sites import SiteRow, job_script, site_rows
from nbflow.journal.grid import aligned
from nbflow.sites.catalogue import Catalogue, load_catalogue
from nbflow.sites.model import Site

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list | show | check | render | sessions | start | stop"
    )
    listing = actions.add_parser("list", help="list all sites and where they are described")
    shown = actions.add_parser("show", help="show what is known about a site")
    shown.add_argument("--origin", action="store_true", help="tell in which file and line each key is")
    checked = actions.add_parser("check", help="log in to a site and look at what work needs there")
    rendered = actions.add_parser("render", help="write the job script of one block, without submitting it")
    sessions_listed = actions.add_parser("sessions", help="list pilots, also those whose kernel is gone")
    started = actions.add_parser("start", help="ask for pilots that a notebook's next kernel takes over")
    started.add_argument("--blocks", type=int, default=1, help="how many jobs (default: 1)")
    started.add_argument(
        "--wait",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="end when no kernel came (default: 3600)",
    )
    stopped = actions.add_parser("stop", help="end the pilots of a session that no kernel uses")
    stopped.add_argument("session", help="its name, as `nbflow sites sessions` lists it")
    for action in (shown, checked, rendered, started):
        add_site_argument(action)
    started.add_argument("notebook", help="its path")
    for action in (listing, shown, checked, rendered, sessions_listed, started, stopped):
        action.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    if arguments.action in ("sessions", "start", "stop"):
        return _sessions(arguments)
    match arguments.action:
        case "list":
            return _list(as_json=arguments.json)
        case "show":
            return _show(load_catalogue(), arguments)
        case "render":
            return _render(arguments.site, as_json=arguments.json)
        case _:
            return tell_checks(arguments.site, as_json=arguments.json)


def _sessions(arguments: argparse.Namespace) -> int:
    if arguments.action == "stop":
        stop_session(arguments.session)
    found = SessionTable([_started(arguments)]) if arguments.action == "start" else sessions()
    print(json_of([{**asdict(one), "state": one.state} for one in found]) if arguments.json else found)
    return 0


def _started(arguments: argparse.Namespace) -> PilotSession:
    return start_session(
        arguments.site, arguments.notebook, blocks=arguments.blocks, wait_seconds=arguments.wait
    )


def _list(*, as_json: bool) -> int:
    rows = site_rows()
    if as_json:
        print(json_of([asdict(row) for row in rows]))
    else:
        titles = [field.name for field in fields(SiteRow)]
        print(aligned([titles, *(astuple(row) for row in rows)]))
    return int(any(row.problem for row in rows))


def _render(name: str, *, as_json: bool) -> int:
    script = job_script(name)
    print(json_of({"site": name, "script": script}) if as_json else script, end="\n" if as_json else "")
    return 0


def _show(catalogue: Catalogue, arguments: argparse.Namespace) -> int:
    site = catalogue.find(arguments.site)
    if arguments.json:
        print(json_of(asdict(site)))
    elif arguments.origin:
        origins = catalogue.origins(site.name)
        print(aligned([("key", "written in"), *((key, str(origin)) for key, origin in origins.items())]))
    else:
        print(aligned(_lines(site)))
    return 0


def _lines(site: Site) -> Iterator[tuple[str, str]]:
    for key, value in _flat(asdict(site)):
        if value not in (None, "", (), {}):
            yield key, " ".join(str(value).split())


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values; tuples of plain values are one line for each."""
    for key, value in values.items():
        match value:
            case dict():
                yield from _flat(value, f"{prefix}{key}.")
            case (dict(), *_):
                for each in value:
                    yield from _flat(each, f"{prefix}{key}.{each['name']}.")
            case tuple():
                for each in value:
                    yield f"{prefix}{key}", each
            case _:
                yield f"{prefix}{key}", value
