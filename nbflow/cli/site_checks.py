"""Own how `nbflow sites check` and `nbflow doctor` check a site: against what this side has, for people."""

from __future__ import annotations

import argparse
import getpass
import platform
import time
from dataclasses import asdict
from importlib import metadata

from nbflow.cli.output import json_of
from nbflow.sites.catalogue import load_catalogue
from nbflow.sites.checks import PACKAGES, Check, Here, check_site
from nbflow.sites.opening import open_session

__all__ = ["add_site_argument", "check_named"]


def add_site_argument(parser: argparse.ArgumentParser, *, is_optional: bool = False) -> None:
    """Add the argument that names a site."""
    parser.add_argument("site", metavar="SITE", nargs="?" if is_optional else None, help="the name of a site")


def check_named(name: str, *, as_json: bool) -> int:
    """Check a site and tell each finding as it comes; return 1 when something is wrong, else 0."""
    site = load_catalogue().find(name)
    here = Here(
        platform.python_version(), {each: _version(each) for each in PACKAGES}, time.time, time.monotonic
    )
    checks = []
    for each in check_site(site, lambda: open_session(site, ask), here):
        checks.append(each)
        if not as_json:
            _tell(each)
    problems = sum(not each.is_ok for each in checks)
    if as_json:
        print(json_of([asdict(each) for each in checks]))
    else:
        print(f"\nsite {name}: {problems or 'no'} problem{'' if problems == 1 else 's'} found")
    return int(problems > 0)


def ask(prompt: str, is_secret: bool) -> str:  # noqa: FBT001 - as sessions call it
    """Ask the person at this terminal."""
    return getpass.getpass(prompt) if is_secret else input(prompt)


def _tell(check: Check) -> None:
    print(f"{'✓' if check.is_ok else '✗'} {check.name:<18} {check.found}")
    if check.advice:
        print(f"  {'':<18} -> {check.advice}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
