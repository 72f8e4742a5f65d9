"""Check this environment, or with a SITE that site, and say what to do about each problem.

Exit code 1: something is wrong. What is only missing for some uses is a note, not a problem.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from nbflow.cli.checks import CHECKS, Finding, Verdict
from nbflow.cli.output import json_of
from nbflow.cli.site_checks import add_site_argument, tell_checks

__all__ = ["configure", "run"]

SIGNS = {Verdict.GOOD: "✓", Verdict.NOTE: "·", Verdict.BAD: "✗"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_site_argument(parser, is_optional=True)
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    if arguments.site is not None:
        return tell_checks(arguments.site, as_json=arguments.json)
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not arguments.json:
            _tell(finding)
    problems = sum(finding.verdict is Verdict.BAD for finding in findings)
    if arguments.json:
        print(json_of([asdict(finding) for finding in findings]))
    else:
        print(f"\n{problems or 'no'} problem{'' if problems == 1 else 's'} found")
    return int(problems > 0)


def _findings() -> Iterator[Finding]:
    for check in CHECKS:
        yield from check()


def _tell(finding: Finding) -> None:
    print(f"{SIGNS[finding.verdict]} {finding.what:<18} {finding.found}")
    if finding.advice:
        print(f"  {'':<18} -> {finding.advice}")
