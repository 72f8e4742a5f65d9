"""Own what a call writes to its stdout and stderr: the bounded memory of it, and a worker's two pipes for it.

File descriptors 1 and 2 of a worker are pipes, so that C code and child processes are heard too. What a child
that outlives its call writes later is counted to the call that runs then.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Protocol, final

from nbflow.wire.messages import Stream

__all__ = ["HEAD_NBYTES", "TAIL_NBYTES", "Capture", "Kept", "Output", "Written", "open_streams"]

HEAD_NBYTES = 32_768
TAIL_NBYTES = 32_768
CHUNK_NBYTES = 65_536
PEEK_NBYTES = 4_096
CHUNKS_PER_DRAIN = 64
"""Bounds one drain, so that a child that never stops writing does not keep the call from ending."""


Written = tuple[tuple[str, int], tuple[str, int]]
"""What was kept of stdout and of stderr, each with the number of bytes in all."""


@final
class Kept:
    """Keep the first and the last of a stream of bytes, in bounded memory; usable from several threads."""

    __slots__ = ("_head", "_lock", "_tail", "nbytes")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._head = bytearray()
        self._tail = bytearray()
        self.nbytes = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        with self._lock:
            self.nbytes += len(data)
            room = HEAD_NBYTES - len(self._head)
            if room > 0:
                self._head += data[:room]
                data = data[room:]
            self._tail += data[-TAIL_NBYTES:]
            # Cut at twice the length: each byte is moved once on average, not once for each write.
            if len(self._tail) > 2 * TAIL_NBYTES:
                del self._tail[:-TAIL_NBYTES]

    def text(self) -> str:
        """Return what was kept, with the number of bytes left out where they are missing."""
        with self._lock:
            tail = self._tail[-TAIL_NBYTES:]
            left_out = self.nbytes - len(self._head) - len(tail)
            if not left_out:
                return (self._head + tail).decode(errors="replace")
            return (
                f"{self._head.decode(errors='replace')}\n"
                f"[... {left_out:,} bytes left out ...]\n"
                f"{tail.decode(errors='replace')}"
            )

    def end(self, most: int) -> str:
        """Return the last bytes, `most` of them at most, as text."""
        with self._lock:
            kept = self._tail if len(self._tail) >= most else self._head + self._tail
            return kept[-most:].decode(errors="replace")

    def take(self) -> tuple[str, int]:
        """Return what was kept and the number of bytes in all, and start anew."""
        if not self.nbytes:
            return "", 0
        taken = self.text(), self.nbytes
        with self._lock:
            self._head.clear()
            self._tail.clear()
            self.nbytes = 0
        return taken


class Output(Protocol):
    """Be where the output of one call goes."""

    @property
    def stdout(self) -> Kept:
        """Return what keeps the call's stdout."""

    @property
    def stderr(self) -> Kept:
        """Return what keeps the call's stderr."""

    def redirected(self, stdout: Stream | None, stderr: Stream | None) -> AbstractContextManager[None]:
        """Return a context in which what Python code writes goes to these files instead."""


@contextmanager
def open_streams(*streams: Stream | None) -> Iterator[list[IO[bytes] | None]]:
    """Open the files, making their directories; one that is named twice is opened once and shared."""
    opened: dict[str, IO[bytes]] = {}
    try:
        for stream in streams:
            if stream is not None and stream.path not in opened:
                path = Path(stream.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                mode = stream.mode.replace("t", "").replace("b", "") + "b"
                opened[stream.path] = path.open(mode, buffering=0)
        yield [None if stream is None else opened[stream.path] for stream in streams]
    finally:
        for file in opened.values():
            file.close()


@final
class Capture:
    """Take all that this process and its children write to file descriptors 1 and 2, call by call.

    The I/O thread calls `drain` when one of `readers` is readable, so that a writer never blocks for long;
    the main thread calls `flush` and `collect` when a call has ended. A silent call costs 2 us.
    """

    def __init__(self) -> None:
        self.stdout: Final = Kept()
        self.stderr: Final = Kept()
        self._kept = (self.stdout, self.stderr)
        pipes = [os.pipe(), os.pipe()]
        self.readers: Final = [reader for reader, _ in pipes]
        self._writers = [writer for _, writer in pipes]
        self._poll = select.poll()
        self._lock = threading.Lock()
        for reader in self.readers:
            os.set_blocking(reader, False)
            self._poll.register(reader, select.POLLIN)
        self._connect()

    def drain(self) -> None:
        """Read what the pipes hold, without waiting."""
        with self._lock:
            self._drain()

    def _drain(self) -> None:
        for reader, kept in zip(self.readers, self._kept, strict=True):
            for _ in range(CHUNKS_PER_DRAIN):
                try:
                    data = os.read(reader, CHUNK_NBYTES)
                except BlockingIOError:
                    break
                kept.add(data)

    def flush(self) -> None:
        """Push Python's own buffers into the pipes; mend what a task closed or replaced."""
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):
            self._connect()
        if sys.stdout is not self._files[0] or sys.stderr is not self._files[1]:
            self._connect()

    def push(self) -> None:
        """Push Python's own buffers into the pipes while a call runs; waits while a pipe is full."""
        for file in self._files:
            with suppress(OSError, ValueError):  # a task closed it
                file.flush()

    @property
    def nbytes(self) -> int:
        """Return how much the call has written so far."""
        return self.stdout.nbytes + self.stderr.nbytes

    def peek(self) -> Written:
        """Return the end of what the call has written so far."""
        out, err = ((kept.end(PEEK_NBYTES), kept.nbytes) for kept in self._kept)
        return out, err

    def collect(self) -> Written | None:
        """Return what the call wrote; None when it was silent."""
        with self._lock:  # the other thread may have read what it has not kept yet
            if self._poll.poll(0):
                self._drain()
        if self.stdout.nbytes or self.stderr.nbytes:
            return self.stdout.take(), self.stderr.take()
        return None

    @contextmanager
    def redirected(self, stdout: Stream | None, stderr: Stream | None) -> Iterator[None]:
        """Send file descriptors 1 and 2 to these files while the context lasts."""
        with open_streams(stdout, stderr) as files:
            try:
                for number, file in enumerate(files, start=1):
                    if file is not None:
                        os.dup2(file.fileno(), number)
                yield
            finally:
                self.flush()
                for number, writer in enumerate(self._writers, start=1):
                    os.dup2(writer, number)

    def _connect(self) -> None:
        """Make file descriptors 1 and 2 the pipes, with fresh Python files on them."""
        for number, writer in enumerate(self._writers, start=1):
            os.dup2(writer, number)
        self._files = [
            open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            for number in (1, 2)
        ]
        sys.stdout, sys.stderr = self._files
        sys.__stdout__, sys.__stderr__ = self._files  # type: ignore[misc]
