"""List the sites that work can run on, show one with where each key was written, or check one for real.

Or list the pilots at them, and whose they are (`sessions`), and `stop` those that no kernel uses.
Exit code 1: a site's description is wrong, or a check failed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from nbflow.cli.output import aligned, json_of
from nbflow.cli.site_checks import add_site_argument, check_named
from nbflow.config.sessions import sessions, stop_session
from nbflow.errors import ConfigError
from nbflow.sites.catalogue import Catalogue, load_catalogue
from nbflow.sites.model import Site

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list | show | check | sessions | stop"
    )
    listing = actions.add_parser("list", help="list all sites and where they are described")
    shown = actions.add_parser("show", help="show what is known about a site")
    shown.add_argument("--origin", action="store_true", help="tell in which file and line each key is")
    checked = actions.add_parser("check", help="log in to a site and look at what work needs there")
    sessions_listed = actions.add_parser("sessions", help="list pilots, also those whose kernel is gone")
    stopped = actions.add_parser("stop", help="end the pilots of a session that no kernel uses")
    stopped.add_argument("session", help="its name, as `nbflow sites sessions` lists it")
    for action in (shown, checked):
        add_site_argument(action)
    for action in (listing, shown, checked, sessions_listed, stopped):
        action.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    if arguments.action in ("sessions", "stop"):
        return _sessions(arguments)
    catalogue = load_catalogue()
    match arguments.action:
        case "list":
            return _list(catalogue, as_json=arguments.json)
        case "show":
            return _show(catalogue, arguments)
        case _:
            return check_named(arguments.site, as_json=arguments.json)


def _sessions(arguments: argparse.Namespace) -> int:
    if arguments.action == "stop":
        stop_session(arguments.session)
    found = sessions()
    print(json_of([{**asdict(one), "state": one.state} for one in found]) if arguments.json else found)
    return 0


def _list(catalogue: Catalogue, *, as_json: bool) -> int:
    rows = [_row(catalogue, name) for name in catalogue.names()]
    if as_json:
        print(json_of(rows))
    else:
        titles = ("site", "scheduler", "login", "title", "problem")
        print(aligned([titles, *([row[title] or "" for title in titles] for row in rows)]))
    return int(any(row["problem"] for row in rows))


def _row(catalogue: Catalogue, name: str) -> dict[str, Any]:
    try:
        site = catalogue.find(name)
    except ConfigError as error:
        return {"site": name, "scheduler": None, "login": None, "title": None, "problem": str(error)}
    title = f"{site.title} (untested)".strip() if site.is_untested else site.title
    login = site.login.host if site.login else "this machine"
    return {"site": name, "scheduler": site.scheduler, "login": login, "title": title, "problem": None}


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
