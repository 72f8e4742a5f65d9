"""Own the digests of files: each file is read once until it changes."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

from nbflow.data.file import File
from nbflow.wire.canonical import memo_key

__all__ = ["digest_of"]

_SETTLED_NS = 2 * 10**9
"""A file that was changed more recently may change again without its time telling."""

_known: dict[str, tuple[tuple[int, ...], str]] = {}


@memo_key(File)
def _file_key(file: File) -> tuple[str, str | None]:
    return file.path, digest_of(file.path)


def digest_of(path: str | os.PathLike[str]) -> str | None:
    """Return the digest of a file's content, or of all that a directory holds; None when there is none."""
    name = os.path.abspath(path)  # noqa: PTH100 - a link stays what the user named
    try:
        status = os.stat(name)  # noqa: PTH116 - a Path for each look costs more than the look
        if stat.S_ISDIR(status.st_mode):
            return _directory_digest(Path(name))
        if not stat.S_ISREG(status.st_mode):
            return None
        state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = _known.get(name)
        if known is not None and known[0] == state:
            return known[1]
        with Path(name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
        _known[name] = state, digest
    return digest


def _directory_digest(directory: Path) -> str:
    whole = hashlib.sha256(b"directory")
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            whole.update(f"\0{path.relative_to(directory).as_posix()}\0{digest_of(path)}".encode())
    return whole.hexdigest()
