"""Own what people ask about sites before anything runs there: which there are, is one well, what is sent."""

from __future__ import annotations

import platform
import posixpath
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import final

from nbflow.config.model import Pilots
from nbflow.config.pilots import ask, shaped
from nbflow.errors import ConfigError
from nbflow.executors.registry import find_executor
from nbflow.providers.registry import render_job
from nbflow.sites.catalogue import load_catalogue
from nbflow.sites.checks import PACKAGES, Check, Here, check_site
from nbflow.sites.model import Site
from nbflow.sites.opening import open_session
from nbflow.sites.session import VARIABLE

__all__ = ["SiteRow", "check_named", "job_script", "site_rows"]


@final
@dataclass(frozen=True, slots=True)
class SiteRow:
    """Show one site in a list: either what it is, or what is wrong with its description."""

    site: str
    scheduler: str = ""
    login: str = ""
    title: str = ""
    problem: str = ""


def site_rows() -> list[SiteRow]:
    """Return a row for each site that is described, `local` first."""
    catalogue = load_catalogue()
    rows = []
    for name in catalogue.names():
        try:
            rows.append(_row(catalogue.find(name)))
        except ConfigError as error:
            rows.append(SiteRow(name, problem=str(error)))
    return rows


def _row(site: Site) -> SiteRow:
    title = f"{site.title} (untested)".strip() if site.is_untested else site.title
    return SiteRow(site.name, site.scheduler, site.login.host if site.login else "this machine", title)


def check_named(name: str) -> Iterator[Check]:
    """Log in to a site, and yield what was looked at there. Raises ConfigError when it is not described."""
    site = load_catalogue().find(name)
    here = Here(
        platform.python_version(), {each: _version(each) for each in PACKAGES}, time.time, time.monotonic
    )
    return check_site(site, lambda: open_session(site, ask), here)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def job_script(pilots: Pilots | Site | str) -> str:
    """Return the script of the job that one block at a site would be. Nothing is run, and nobody logs in.

    What only the site or the run knows stands there in capitals: `/HOME` for `~`, `/SCRATCH` for `$SCRATCH`,
    RUN and BLOCK for names that are made for each. Raises ConfigError when there is no such site, or no such
    job at it.
    """
    spec = pilots if isinstance(pilots, Pilots) else Pilots(pilots)
    find_executor("pilots")  # says what to install where it is missing
    from nbflow.executors.pilots.plan import Plan

    site = shaped(spec)
    plan = Plan(site=replace(site, python=_in_capitals(site.python)))
    return render_job(
        site.scheduler, plan.job("nbf-BLOCK", f"{_in_capitals(site.working_directory)}/pilots/RUN")
    )


def _in_capitals(path: str) -> str:
    """Return a path of the site in which `~` and variables are directories with their names."""
    home = f"/HOME{path[1:]}" if path.startswith("~") else path
    return posixpath.normpath(VARIABLE.sub(lambda match: f"/{match[1] or match[2]}", home))
