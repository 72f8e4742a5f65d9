"""Own how `nbflow sites check` and `nbflow doctor` tell what was found at a site, for people and programs."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from nbflow.cli.output import json_of
from nbflow.config.sites import check_named

__all__ = ["add_site_argument", "tell_checks"]


def add_site_argument(parser: argparse.ArgumentParser, *, is_optional: bool = False) -> None:
    """Add the argument that names a site."""
    parser.add_argument("site", metavar="SITE", nargs="?" if is_optional else None, help="the name of a site")


def tell_checks(name: str, *, as_json: bool) -> int:
    """Check a site and tell each finding as it comes; return 1 when something is wrong, else 0."""
    checks = []
    for each in check_named(name):
        checks.append(each)
        if not as_json:
            print(each)
    problems = sum(not each.is_ok for each in checks)
    if as_json:
        print(json_of([asdict(each) for each in checks]))
    else:
        print(f"\nsite {name}: {problems or 'no'} problem{'' if problems == 1 else 's'} found")
    return int(problems > 0)
