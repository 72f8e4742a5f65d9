"""Own what `nbflow doctor` looks at. Each check tries the real thing and leaves nothing behind."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata, resources
from pathlib import Path
from typing import final

from nbflow.cli.output import took
from nbflow.errors import JournalError
from nbflow.journal.batch import Batch
from nbflow.journal.database import Database
from nbflow.journal.places import make_private, state_dir

__all__ = ["CHECKS", "Finding", "Verdict"]

DISTRIBUTION = "jupyter-nbflow"
LAB_EXTENSION = "nbflow-labextension"
WIDGET_EXTENSIONS = ("anywidget", "@jupyter-widgets/jupyterlab-manager")
NEEDED = ("anywidget", "dill", "ipywidgets", "platformdirs", "psutil", "rich", "traitlets")
NOTEBOOK = ("ipykernel", "jupyterlab")
FREE_NBYTES = 1 << 30
WORKER_SECONDS = 60.0

FIRST_TASK = """
import nbflow
with nbflow.load(workers=1):
    assert nbflow.python_app(abs)(-1).result() == 1
"""


@final
class Verdict(StrEnum):
    """Say how much a finding matters."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """Say what was looked at, how it is, and what to do about it."""

    what: str
    verdict: Verdict
    found: str
    advice: str = ""


def check_python() -> Iterator[Finding]:
    """Look at the interpreter and its SQLite."""
    found = f"{platform.python_version()} at {sys.executable}"
    yield Finding("Python", Verdict.GOOD, found)
    try:
        sqlite3.connect(":memory:").execute("SELECT json_group_array(json_array(1))").fetchone()
    except sqlite3.Error:
        advice = "install a Python whose SQLite has JSON functions (3.38 or later always has)"
        yield Finding("SQLite", Verdict.BAD, sqlite3.sqlite_version, advice)
    else:
        yield Finding("SQLite", Verdict.GOOD, sqlite3.sqlite_version)


def check_packages() -> Iterator[Finding]:
    """Look for the packages that nbflow needs, and those that only notebooks need."""
    for name in NEEDED:
        advice = f"pip install --upgrade {DISTRIBUTION}"
        yield _package(name, Verdict.BAD, advice)
    for name in NOTEBOOK:
        advice = f"for notebooks: pip install '{DISTRIBUTION}[notebook]'"
        yield _package(name, Verdict.NOTE, advice)


def check_journal() -> Iterator[Finding]:
    """Write a journal where journals are kept."""
    place = state_dir()
    advice = "set NBFLOW_STATE_DIR to a directory that you may write to"
    try:
        make_private(place)
        with tempfile.TemporaryDirectory(dir=place, prefix="doctor-") as directory:
            database = Database.create(Path(directory) / "journal.sqlite", {})
            database.write(Batch())
            database.close({})
        free = shutil.disk_usage(place).free
    except (OSError, sqlite3.Error, JournalError) as error:
        yield Finding("journal", Verdict.BAD, f"cannot be written in {place}: {error}", advice)
        return
    yield Finding("journal", Verdict.GOOD, f"can be written in {place}")
    room = f"{free / 2**30:.1f} GiB free"
    if free < FREE_NBYTES:
        yield Finding(
            "disk", Verdict.NOTE, room, f"make room there, or {advice.replace('that', 'on a disk that')}"
        )
    else:
        yield Finding("disk", Verdict.GOOD, room)


def check_worker() -> Iterator[Finding]:
    """Run a task in a worker process, from nothing, as a fresh notebook does."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nbflow-doctor-") as directory:
        environment = os.environ | {"NBFLOW_STATE_DIR": directory}
        try:
            subprocess.run(
                [sys.executable, "-c", FIRST_TASK],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                timeout=WORKER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            found = f"no answer within {WORKER_SECONDS:.0f} s"
            yield Finding("first task", Verdict.BAD, found, "see whether this machine lets processes start")
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
            yield Finding(
                "first task", Verdict.BAD, lines[-1], "run `nbflow demo` and read the whole message"
            )
        else:
            found = f"{took(time.monotonic() - started)} from a new process to its result"
            yield Finding("first task", Verdict.GOOD, found)


def check_notebook() -> Iterator[Finding]:
    """Look for what the views in a notebook need: their files and the extensions of JupyterLab."""
    browser = resources.files("nbflow.live").joinpath("browser")
    if browser.is_dir() and any(browser.iterdir()):
        yield Finding("views", Verdict.GOOD, "their files are there")
    else:
        advice = f"pip install --force-reinstall {DISTRIBUTION}"
        yield Finding("views", Verdict.BAD, "their files are missing", advice)
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:
        return  # without Jupyter there is nothing to extend; `check_packages` has told it
    places = [Path(place) for place in jupyter_path("labextensions")]
    for name in (*WIDGET_EXTENSIONS, LAB_EXTENSION):
        yield _extension(name, places)


def _package(name: str, missing: Verdict, advice: str) -> Finding:
    try:
        return Finding(name, Verdict.GOOD, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, missing, "is not installed", advice)


def _extension(name: str, places: list[Path]) -> Finding:
    for place in places:
        if (place / name / "package.json").is_file():
            return Finding("lab extension", Verdict.GOOD, f"{name} in {place}")
    advice = f"install {DISTRIBUTION} into the environment that JupyterLab runs in"
    return Finding("lab extension", Verdict.NOTE, f"{name} is not installed here", advice)


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python,
    check_packages,
    check_journal,
    check_worker,
    check_notebook,
)
