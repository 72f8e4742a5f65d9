"""Own what pilots at a site are built from: a user's description over that of the site."""

from __future__ import annotations

import getpass
import math
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbflow.config.model import Pilots
from nbflow.errors import ConfigError
from nbflow.executors.protocol import Executor
from nbflow.executors.registry import executor_names, find_executor
from nbflow.journal.places import state_dir
from nbflow.sites.catalogue import load_catalogue
from nbflow.sites.model import Scheduler, Site
from nbflow.sites.opening import Ask, open_session
from nbflow.sites.reader import suggestion
from nbflow.worker.facts import AUTO, own_address

__all__ = ["ask", "berths_dir", "build_pilots", "find_site", "shaped"]

LOOPBACK = "127.0.0.1"


def ask(prompt: str, is_secret: bool) -> str:  # noqa: FBT001 - sessions call it so
    """Ask the person at the keyboard, or in front of the notebook."""
    return getpass.getpass(prompt) if is_secret else input(prompt)


def build_pilots(spec: Pilots, ask: Ask | None = ask) -> Executor:
    """Return the executor that a description means, not started. Raises ConfigError for an unknown site.

    `ask` answers what its login asks; None: nobody is there to answer.
    """
    executor = find_executor("pilots")
    from nbflow.executors.pilots.lanes import Patience  # only who wants pilots needs ZeroMQ
    from nbflow.executors.pilots.plan import Plan

    site = shaped(spec)
    plan = Plan(
        site=site,
        address=spec.address or _address(site),
        idle_seconds=spec.idle_seconds,
        keeps_pilots=spec.keep,
        patience=Patience(silent=spec.silent_seconds, orphan=spec.orphan_seconds),
    )
    built: Executor = executor(spec.label, plan, lambda: open_session(site, ask), berths_dir())
    return built


def berths_dir() -> Path:
    """Name the directory of what is known about pilots that outlive their kernel."""
    return state_dir() / "berths"


def shaped(spec: Pilots) -> Site:
    """Return the site with what the description says otherwise."""
    site = find_site(spec.site)
    if site.scheduler is Scheduler.LOCAL:  # nobody waits for this machine
        site = replace(site, block=replace(site.block, walltime_seconds=math.inf))
    block = replace(
        site.block,
        **_given(
            workers_per_node=spec.workers_per_node,
            threads_per_worker=spec.threads_per_worker,
            nodes=spec.nodes,
            walltime_seconds=spec.walltime,
        ),
    )
    limits = replace(
        site.limits,
        **_given(init_blocks=spec.init_blocks, min_blocks=spec.min_blocks, max_blocks=spec.max_blocks),
    )
    limits = replace(limits, max_blocks=max(limits.max_blocks, limits.min_blocks, limits.init_blocks))
    return replace(site, block=block, limits=limits, **_given(partition=spec.partition, account=spec.account))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def find_site(site: str | Site) -> Site:
    """Return a site by its name. Raises ConfigError for one that nobody described."""
    if isinstance(site, Site):
        return site
    catalogue = load_catalogue()
    if site not in catalogue.names():
        executors, sites = executor_names(), catalogue.names()
        raise ConfigError(
            f"there is no executor and no site {site!r} (executors: {', '.join(executors)}; "
            f"sites: {', '.join(sites)}){suggestion(site, (*executors, *sites))}"
        )
    return catalogue.find(site)


def _address(site: Site) -> str:
    """Return where the site's nodes find what serves them: over loopback only where they are that machine."""
    if site.scheduler is Scheduler.LOCAL:
        return LOOPBACK
    if site.login is not None:
        return AUTO
    try:
        return own_address(AUTO)
    except OSError as error:
        raise ConfigError(
            f"this machine's own name, {socket.gethostname()}, has no address ({error}): say with "
            "Pilots(address=...) how the nodes of the site reach this machine"
        ) from error
