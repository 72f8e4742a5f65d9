"""Own what is looked at before work is sent to a site. Each check tries the real thing and leaves nothing.

What this side has (versions, clock) is passed in; what the other side has is asked through its session.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, final

from nbflow.errors import NbflowError, SiteError
from nbflow.sites.model import Scheduler, Site
from nbflow.sites.opening import interpreter
from nbflow.sites.session import Session
from nbflow.sites.setup import in_setup

__all__ = ["PACKAGES", "Check", "Here", "check_site"]

PACKAGES = ("jupyter-nbflow", "dill", "ipyparallel")
COMMANDS = {
    Scheduler.LOCAL: (),
    Scheduler.SLURM: ("sbatch", "squeue", "scancel", "scontrol"),
    Scheduler.PBS: ("qsub", "qstat", "qdel"),
    Scheduler.GRIDENGINE: ("qsub", "qstat", "qdel", "qacct"),
    Scheduler.LSF: ("bsub", "bjobs", "bkill"),
    Scheduler.HTCONDOR: ("condor_submit", "condor_q", "condor_rm", "condor_history"),
}
SECONDS = 120.0
FREE_NBYTES = 1 << 30
FREE_FILES = 1000
MAKE_ROOM = "remove what is not needed there, or set working_directory to another file system"
SKEW_SECONDS = 60.0
FIND = 'for name; do command -v "$name" >/dev/null || echo "$name"; done'


@final
@dataclass(frozen=True, slots=True)
class Check:
    """Say what was looked at, whether it is as it must be, what was found, and what to do about it."""

    name: str
    is_ok: bool
    found: str
    advice: str = ""

    def __str__(self) -> str:
        told = f"{'✓' if self.is_ok else '✗'} {self.name:<18} {self.found}"
        return f"{told}\n  {'':<18} -> {self.advice}" if self.advice else told


@final
@dataclass(frozen=True, slots=True)
class Here:
    """Say what this side has: versions as `platform` and `importlib.metadata` tell them, and a clock."""

    python: str
    packages: Mapping[str, str | None]
    time: Callable[[], float]
    monotonic: Callable[[], float]


def check_site(site: Site, open_session: Callable[[], Session], here: Here) -> Iterator[Check]:
    """Yield the checks of a site in order; those that need what has failed are left out."""
    started = here.monotonic()
    try:
        session = open_session()
    except NbflowError as error:
        yield Check("login", is_ok=False, found=str(error), advice="correct that, then run this again")
        return
    try:
        took = here.monotonic() - started
        where = site.login.host if site.login else "this machine"
        yield Check("login", is_ok=True, found=f"{where}, in {took:.1f} s")
        yield from _checks(site, session, here)
    finally:
        session.close()


def _checks(site: Site, session: Session, here: Here) -> Iterator[Check]:
    try:
        directory = session.resolve(site.working_directory)
    except SiteError as error:
        advice = "correct working_directory in the site's description"
        yield Check("working directory", is_ok=False, found=str(error), advice=advice)
        directory = session.resolve("~")
    if commands := COMMANDS[site.scheduler]:
        yield _check_scheduler(site, session, commands)
    asked = here.time()
    try:
        probe = _probe(site, session, directory)
    except SiteError as error:
        advice = (
            f"correct python ({site.python!r}) or setup in the site's description, or install Python there"
        )
        yield Check("Python", is_ok=False, found=str(error), advice=advice)
        return
    answered = here.time()
    yield _check_python(probe, here)
    for name in PACKAGES:
        yield _check_package(name, probe["packages"][name], here)
    yield _check_directory(directory, probe["directory"])
    yield _check_quota(probe["quota"])
    yield _check_clock(probe["time"], asked, answered)


def _probe(site: Site, session: Session, directory: str) -> dict[str, Any]:
    """Run the probe with the site's interpreter. Raises SiteError when it does not answer."""
    program = resources.files("nbflow.sites").joinpath("probe.py").read_text()
    python = interpreter(site, session)
    argv = (*in_setup(site), python, "-c", program, directory, *PACKAGES)
    done = session.run(argv, timeout_seconds=SECONDS)
    lines = done.stdout.strip().splitlines()
    if done.exit_code != 0 or not lines:
        told = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise SiteError(f"{python} ended with {done.exit_code}: {told[-1]}")
    try:
        return dict(json.loads(lines[-1]))
    except ValueError as error:
        raise SiteError(f"{python} answered {lines[-1][:80]!r}") from error


def _check_scheduler(site: Site, session: Session, commands: tuple[str, ...]) -> Check:
    done = session.run((*in_setup(site), "sh", "-c", FIND, "sh", *commands), timeout_seconds=SECONDS)
    missing = done.stdout.split()
    if done.exit_code == 0 and not missing:
        return Check("scheduler", is_ok=True, found=f"{site.scheduler}: {', '.join(commands)}")
    found = (
        f"{', '.join(missing)} not found" if missing else done.stderr.strip() or f"exit code {done.exit_code}"
    )
    advice = f"load the module of {site.scheduler} in setup, or correct scheduler in the site's description"
    return Check("scheduler", is_ok=False, found=found, advice=advice)


def _check_python(probe: Mapping[str, Any], here: Here) -> Check:
    there = str(probe["python"])
    found = f"{there} at {probe['executable']}, {here.python} here"
    if _minor(there) == _minor(here.python):
        return Check("Python", is_ok=True, found=found)
    advice = f"use Python {_minor(here.python)} there too: functions travel as bytecode"
    return Check("Python", is_ok=False, found=found, advice=advice)


def _check_package(name: str, there: str | None, here: Here) -> Check:
    mine = here.packages.get(name)
    if there is not None and there == mine:
        return Check(name, is_ok=True, found=there)
    wanted = "jupyter-nbflow[pilots]" if mine is None else f"{name}=={mine}"
    found = f"{there or 'not installed'} there, {mine or 'not installed'} here"
    return Check(name, is_ok=False, found=found, advice=f"on the site, in its Python: pip install '{wanted}'")


def _check_directory(directory: str, answer: Mapping[str, Any]) -> Check:
    if problem := answer.get("problem"):
        advice = "set working_directory to a directory that jobs can write to"
        return Check("working directory", is_ok=False, found=str(problem), advice=advice)
    free, files = int(answer["free_nbytes"]), answer["free_files"]
    found = f"{directory}, {free / 2**30:.1f} GiB free"
    if files is not None and files < FREE_FILES:
        found += f", {files} more files"
    elif free >= FREE_NBYTES:
        return Check("working directory", is_ok=True, found=found)
    return Check("working directory", is_ok=False, found=found, advice=MAKE_ROOM)


def _check_quota(used_up: Sequence[str]) -> Check:
    if used_up:
        return Check("quota", is_ok=False, found=f"used up: {'; '.join(used_up)}", advice=MAKE_ROOM)
    return Check("quota", is_ok=True, found="nothing is used up, as far as the file systems say")


def _check_clock(there: float, asked: float, answered: float) -> Check:
    """Compare clocks; the other side looked at its own somewhere between question and answer."""
    skew = max(asked - there, there - answered, 0.0)
    found = f"differs by {skew:.0f} s at least" if skew >= 1 else "agrees"
    if skew > SKEW_SECONDS:
        advice = "set the clock that is wrong: logins with codes and times in reports depend on it"
        return Check("clock", is_ok=False, found=found, advice=advice)
    return Check("clock", is_ok=True, found=found)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
