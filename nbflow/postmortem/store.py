"""Own the files in which failed calls are recorded: one for each task, beside the journal of its run.

Each has two lines of JSON below a seal made with the user's own key. What anybody else wrote can be read as
text, but no object in it is ever opened.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from nbflow.errors import NoCapsule
from nbflow.memo.places import cache_dir, make_private, user_key
from nbflow.wire.capsule import CallRecord, Evidence

__all__ = ["MOST_NBYTES", "Stored", "find_old", "read", "record_path", "write"]

MOST_NBYTES = 1 << 20
FOLDER = "failures"
SUFFIX = ".capsule"


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """Be one record as it was read; `is_ours` tells that this user's own nbflow wrote it."""

    call: CallRecord
    evidence: Evidence | None
    is_ours: bool


def record_path(run_directory: Path, task: int) -> Path:
    """Name the file of a task's last failure."""
    return run_directory / FOLDER / f"{task}{SUFFIX}"


def write(path: Path, call: CallRecord, evidence: str) -> int:
    """Write a record that only this user can read; return its size, at most 1 MiB.

    Raises OSError, or ConfigError where the user's key cannot be kept.
    """
    body = _body(call, evidence)
    if len(body) > MOST_NBYTES - 100:
        body = _body(call, "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = _seal(body).encode() + b"\n" + body
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return len(data)


def read(path: Path) -> Stored:
    """Read a record. Raises NoCapsule when there is none, or it is damaged."""
    try:
        seal, _, body = path.read_bytes().partition(b"\n")
        first, _, second = body.decode("utf-8", "surrogatepass").partition("\n")
        call = CallRecord.from_json(first)
        evidence = Evidence.from_json(second) if second.strip() else None
    except FileNotFoundError:
        raise NoCapsule(f"nothing was recorded at {path}: the task did not fail, or it was pruned") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoCapsule(f"{path} cannot be read as the record of a failure: {error}") from error
    return Stored(call, evidence, hmac.compare_digest(seal, _seal(body).encode()))


def find_old(directories: Iterable[Path], older_than_seconds: float) -> Iterator[tuple[Path, int]]:
    """Yield the records in these directories of runs that are that old, and their sizes."""
    before = time.time() - older_than_seconds
    for directory in directories:
        for path in (directory / FOLDER).glob(f"*{SUFFIX}"):
            told = path.stat()
            if told.st_mtime < before:
                yield path, told.st_size


def _body(call: CallRecord, evidence: str) -> bytes:
    return f"{call.to_json()}\n{evidence}\n".encode("utf-8", "surrogatepass")


def _seal(body: bytes) -> str:
    directory = cache_dir()
    make_private(directory)
    return hmac.digest(user_key(directory), body, "sha256").hex()
