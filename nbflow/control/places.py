"""Own where control sockets are: in a directory that only this user can enter. It opens none of them."""

from __future__ import annotations

import glob
import os
import platform
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from nbflow.errors import ControlError
from nbflow.journal.places import make_private, state_dir

__all__ = ["SUFFIX", "control_path", "find_socket"]

SUFFIX = ".sock"

LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""Bytes that the address of a Unix socket has room for, without the zero at its end."""


def control_path(run: str) -> Path:
    """Name the control socket of `run`, in a directory that is made if need be.

    The first that will do: XDG_RUNTIME_DIR, the state directory, the directory for temporary files (others
    may be too long for the address of a socket). Raises ControlError when none will.
    """
    tried = []
    for directory in _directories():
        path = directory / f"{run}{SUFFIX}"
        tried.append(str(directory))
        if len(os.fsencode(path)) <= LONGEST_PATH and _is_ours_alone(directory):
            return path
    raise ControlError(
        f"no place for a control socket: none of {', '.join(tried)} is short, and private to this user. "
        "Set XDG_RUNTIME_DIR to a directory that only you can enter."
    )


def find_socket(run: str) -> Path | None:
    """Find the control socket of a run that has no journal on disk: by its name, or the start of it.

    Returns None when there is none, or more than one.
    """
    pattern = f"{glob.escape(run)}*{SUFFIX}"
    found = [path for directory in _directories() if directory.is_dir() for path in directory.glob(pattern)]
    return found[0] if run and os.sep not in run and len(found) == 1 else None


def _directories() -> Iterator[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "nbflow"
    # A state directory may be shared by machines, and a socket is of one machine.
    yield state_dir() / "control" / f"{zlib.crc32(platform.node().encode()):08x}"
    yield Path(tempfile.gettempdir()) / f"nbflow-{os.getuid()}"


def _is_ours_alone(directory: Path) -> bool:
    """Tell whether only this user can enter the directory, which is made if it is missing."""
    try:
        make_private(directory)
        found = directory.lstat()  # another user may have put a link there
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
