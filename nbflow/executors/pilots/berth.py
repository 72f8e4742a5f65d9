"""Own the record of how pilots at a site are reached: it outlives this process; one at a time uses it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, Self, final

import zmq

from nbflow.executors.pilots.node import Pass

__all__ = ["Berth", "BlockRecord", "Owner", "Record", "berths", "lock_berth", "take_berth"]

RECORD: Final = "record.json"
LOCK: Final = "lock"
GRASPS: Final = 10
LOOK_SECONDS: Final = 0.01


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Say whose pilots at a site are: those of one notebook, or script, for one executor of its kernel.

    `host` is the machine that lanes have to reach, empty where they find a relay in its place.
    """

    notebook: str
    label: str
    site: str
    host: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecord:
    """Keep what has to be known of a block that has not ended; times are of day (None: not known)."""

    name: str
    job: str | None
    walltime: float | None
    asked_at: float
    ends_at: float | None
    has_come_up: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Keep where pilots look for their kernel, under which key, what there is of them, who used them last.

    `port` and `secret` are those of the kernel's socket for lanes, `relay_port` that of the relay, 0 without.
    `directory` is the agent's, at the site. `seen` is when the kernel was there last.
    `waits` are how many seconds the last blocks took from their request to their first node.
    """

    owner: Owner
    secret: str
    directory: str = ""
    port: int = 0
    relay_port: int = 0
    run: str = ""
    pid: int = 0
    orphan_seconds: float = 0.0
    seen: float = 0.0
    blocks: tuple[BlockRecord, ...] = ()
    passes: tuple[Pass, ...] = ()
    waits: tuple[float, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the record in a text. Raises ValueError, KeyError or TypeError when it is none."""
        said = json.loads(text)
        said["owner"] = Owner(**said["owner"])
        said["blocks"] = tuple(BlockRecord(**one) for one in said["blocks"])
        said["passes"] = tuple(Pass(**one) for one in said["passes"])
        said["waits"] = tuple(map(float, said["waits"]))
        return cls(**said)


@final
@dataclass(slots=True)
class Berth:
    """Hold one record, on disk as it is here, under a lock that ends with this process."""

    directory: Path
    record: Record
    _lock: int
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """Return its name."""
        return self.directory.name

    def update(self, **changes: object) -> None:
        """Change the record, on disk before this returns; callable from any thread."""
        with self._writing:
            changed = replace(self.record, **changes)  # type: ignore[arg-type]
            if changed != self.record:
                _write(self.directory / RECORD, changed)
                self.record = changed

    def admit(self, entry: Pass) -> None:
        """Note that a lane is let in; those of blocks that are gone are forgotten."""
        names = {block.name for block in self.record.blocks}
        passes = [one for one in self.record.passes if one.block in names and one.key != entry.key]
        self.update(passes=(*passes, entry))

    def leave(self) -> None:
        """Let the next process have it."""
        self.update(seen=time.time())
        _unlock(self._lock)

    def remove(self) -> None:
        """Forget it: nothing is left that could be reached."""
        shutil.rmtree(self.directory, ignore_errors=True)
        _unlock(self._lock)


def take_berth(directory: Path, owner: Owner) -> Berth:
    """Return the berth that an owner's last process left, or a new one."""
    for path in _newest_first(directory):
        record = _read(path)
        if record is not None and record.owner == owner and (berth := lock_berth(path)) is not None:
            return berth
    path = directory / f"{owner.label}-{secrets.token_hex(2)}"
    for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    _write(path / RECORD, Record(owner=owner, secret=zmq.curve_keypair()[1].decode()))
    berth = lock_berth(path)
    assert berth is not None, "a name of two random bytes, and the label, is somebody's already"
    return berth


def lock_berth(path: Path) -> Berth | None:
    """Return a berth, unless another process uses it, or it is gone."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    if not _grasp(lock):
        os.close(lock)
        return None
    record = _read(path)  # again: it is ours from here on
    if record is None:
        os.close(lock)
        return None
    _locks.add(lock)
    return Berth(path, record, lock)


def _grasp(lock: int) -> bool:
    """Lock it, unless another process does for longer than `_is_used` takes for its look."""
    for _ in range(GRASPS):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(LOOK_SECONDS)
    return False


_locks: set[int] = set()


def _unlock(lock: int) -> None:
    _locks.discard(lock)
    os.close(lock)


def _let_go() -> None:
    """Leave the locks to the parent: a forked child that lives longer must not hold them."""
    while _locks:
        os.close(_locks.pop())


os.register_at_fork(after_in_child=_let_go)


def berths(directory: Path) -> Iterator[tuple[Path, Record, bool]]:
    """Give all berths, newest first, each with whether a process uses it."""
    for path in _newest_first(directory):
        if (record := _read(path)) is not None:
            yield path, record, _is_used(path)


def _is_used(path: Path) -> bool:
    with suppress(OSError), (path / LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _newest_first(directory: Path) -> Collection[Path]:
    with suppress(OSError):
        return sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    return ()


def _read(path: Path) -> Record | None:
    try:
        return Record.read((path / RECORD).read_text())
    except (OSError, ValueError, KeyError, TypeError):  # being removed, or another version's
        return None


def _write(path: Path, record: Record) -> None:
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(record), file)
    part.replace(path)
