"""Own where journals are kept on this machine, and the names of runs. It reads no journal."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path

import platformdirs

__all__ = ["JOURNAL_NAME", "journal_path", "make_private", "new_run_id", "notebook", "runs_dir", "state_dir"]

JOURNAL_NAME = "journal.sqlite"


def state_dir() -> Path:
    """Name the directory of all that nbflow remembers: `NBFLOW_STATE_DIR`, or the user's state directory."""
    chosen = os.environ.get("NBFLOW_STATE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_state_path("nbflow")


def runs_dir() -> Path:
    """Name the directory that has one directory for each run."""
    return state_dir() / "runs"


def journal_path(run: str) -> Path:
    """Name the journal of `run`."""
    return runs_dir() / run / JOURNAL_NAME


def new_run_id() -> str:
    """Make a name for a run: unique, and sorted by the time of its start (local time, for people)."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def notebook() -> str:
    """Name the notebook that this kernel serves (a Jupyter server tells it), or else the script."""
    return os.environ.get("JPY_SESSION_NAME") or (sys.argv[0] if sys.argv else "")


def make_private(directory: Path) -> None:
    """Make `directory` and its missing parents so that only this user can enter them."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
