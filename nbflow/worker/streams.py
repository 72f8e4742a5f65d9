"""Own the capture of what Python code prints in chosen threads, for calls that share a process.

`sys.stdout` and `sys.stderr` are stood in for while anybody captures; threads that do not are passed through
untouched. What C code or a child process writes is not seen here.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, final

from nbflow.wire.messages import Stream
from nbflow.worker.capture import Kept, Written, open_streams

__all__ = ["ThreadOutput", "captured_threads"]

Write = Callable[[bytes], Any]


@final
class _Proxy:
    """Stand for one of `sys.stdout` and `sys.stderr`."""

    def __init__(self, original: TextIO, sinks: dict[int, Write]) -> None:
        self.original = original
        self._sinks = sinks

    def write(self, text: str) -> int:
        """Write to the call that runs in this thread, else to the original."""
        sink = self._sinks.get(threading.get_ident())
        if sink is None:
            return self.original.write(text)
        sink(text.encode(errors="backslashreplace"))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the original; what calls write is not buffered here."""
        if threading.get_ident() not in self._sinks:
            self.original.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


@final
class ThreadOutput:
    """Take what the thread that makes this prints, call by call, until `close`."""

    def __init__(self) -> None:
        self.stdout = Kept()
        self.stderr = Kept()
        self._thread = threading.get_ident()
        self._connect()

    def flush(self) -> None:
        """Do nothing: what a thread prints is not buffered."""

    def collect(self) -> Written | None:
        """Return what was written since the last time; None for nothing."""
        if self.stdout.nbytes or self.stderr.nbytes:
            return self.stdout.take(), self.stderr.take()
        return None

    @contextmanager
    def redirected(self, stdout: Stream | None, stderr: Stream | None) -> Iterator[None]:
        """Send what the thread prints to these files while the context lasts."""
        with open_streams(stdout, stderr) as files:
            try:
                for file, sinks in zip(files, _sinks, strict=True):
                    if file is not None:
                        sinks[self._thread] = file.write
                yield
            finally:
                self._connect()

    def close(self) -> None:
        """Let the thread print to where it did before."""
        for sinks in _sinks:
            sinks.pop(self._thread, None)

    def _connect(self) -> None:
        for kept, sinks in zip((self.stdout, self.stderr), _sinks, strict=True):
            sinks[self._thread] = kept.add


@final
class _StandIns:
    """Put the proxies in place of `sys.stdout` and `sys.stderr` while there are users."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._proxies: list[_Proxy] = []

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._proxies = [_Proxy(sys.stdout, _sinks[0]), _Proxy(sys.stderr, _sinks[1])]
                sys.stdout, sys.stderr = self._proxies

    def leave(self) -> None:
        """Put the originals back, where nobody else has put something in their place meanwhile."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for name, proxy in zip(("stdout", "stderr"), self._proxies, strict=True):
                    if getattr(sys, name) is proxy:
                        setattr(sys, name, proxy.original)


_sinks: tuple[dict[int, Write], dict[int, Write]] = ({}, {})
_stand_ins = _StandIns()


@contextmanager
def captured_threads() -> Iterator[None]:
    """Let `ThreadOutput` work while the context lasts; several may overlap, in any order."""
    _stand_ins.enter()
    try:
        yield
    finally:
        _stand_ins.leave()
