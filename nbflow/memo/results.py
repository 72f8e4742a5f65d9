"""Own the file that keeps what a run finished: sealed blocks, one after the other, each whole or not there.

A block is an index and the data that it tells of. The index is believed when its seal, made with the user's
own key, is right for its place in the file, the data when their digest is the one in the index. So a torn or
damaged end costs only itself, and nothing is unpickled that somebody else wrote. Reading all indexes passes
over the data. What an index says is another's business.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from nbflow.errors import ResultsError

__all__ = ["Block", "ResultsFile", "digest_of_data", "read_blocks", "read_data"]

MAGIC = b"nbflow results 2\n"
_HEAD = struct.Struct("<QQ32s")
"""Before each block: how long its index and its data are, and its seal."""

DIGEST_NBYTES = 16


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Be the index of one block, where its data begin in the file, and where the next block does."""

    index: bytes
    data_at: int
    end: int


@final
class ResultsFile:
    """Append blocks to a new file at `path`, which only this user can read. Raises OSError."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key
        self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._is_synced = True
        self.nbytes = 0
        self._writing = threading.Lock()
        self._write([MAGIC])

    def append(self, index: bytes, data: Iterable[bytes] = ()) -> int:
        """Write a block, from any thread, and return where its data begin; then it outlives the process.

        Raises OSError when there is no room: then nothing of it is there.
        """
        pieces = list(data)
        data_nbytes = sum(map(len, pieces))
        with self._writing:
            head = _HEAD.pack(len(index), data_nbytes, _seal(self._key, self.nbytes, data_nbytes, index))
            data_at = self.nbytes + len(head) + len(index)
            self._write([head + index, *pieces])
        return data_at

    def sync(self) -> None:
        """Have what was written outlive the machine too. Raises OSError."""
        if not self._is_synced:
            os.fsync(self._descriptor)
            self._is_synced = True

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _write(self, pieces: list[bytes]) -> None:
        at = self.nbytes
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    written = os.pwrite(self._descriptor, view, at)
                    view, at = view[written:], at + written
        except OSError:
            with suppress(OSError):  # else the next block is written over it
                os.ftruncate(self._descriptor, self.nbytes)
            raise
        self.nbytes = at
        self._is_synced = False


def read_blocks(path: Path, key: bytes | None, since: int = 0) -> Iterator[Block]:
    """Yield the blocks of a file from the offset `since` on, up to the first that is torn or damaged.

    Another process may append meanwhile. Without `key` seals are not looked at. Raises ResultsError when
    there is no such file, and when not even the first block is this user's.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ResultsError(f"the results {path} cannot be read: {error.strerror or error}") from error
    with file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ResultsError(f"{path} holds no results of nbflow, or was damaged")
        size = os.fstat(file.fileno()).st_size
        at = max(len(MAGIC), since)
        file.seek(at)
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            index_nbytes, data_nbytes, seal = _HEAD.unpack(head)
            data_at = at + _HEAD.size + index_nbytes
            if data_at + data_nbytes > size:
                return
            index = file.read(index_nbytes)
            if key is not None and not hmac.compare_digest(seal, _seal(key, at, data_nbytes, index)):
                if at == len(MAGIC):
                    raise ResultsError(
                        f"the results {path} were written by somebody else, or were damaged, and are not "
                        f"opened. If you trust who wrote them: nbflow import --trust {path}"
                    )
                return
            at = data_at + data_nbytes
            file.seek(at)
            yield Block(index, data_at, at)


def read_data(path: Path, at: int, nbytes: int, digest: bytes) -> bytes:
    """Return data of a block. Raises ResultsError when they are not as they were written."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            data = file.read(nbytes)
    except OSError as error:
        raise ResultsError(f"the results {path} cannot be read: {error.strerror or error}") from error
    if digest_of_data(data) != digest:
        raise ResultsError(f"a result in {path} was damaged")
    return data


def digest_of_data(data: bytes) -> bytes:
    """Return what tells data from other data."""
    return hashlib.sha256(data).digest()[:DIGEST_NBYTES]


def _seal(key: bytes, place: int, data_nbytes: int, index: bytes) -> bytes:
    return hmac.digest(key, b"%d %d:%b" % (place, data_nbytes, index), "sha256")
