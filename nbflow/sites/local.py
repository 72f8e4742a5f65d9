"""Own the session on this machine: processes and files of this user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast, final

from nbflow.errors import SiteError, SiteFileMissing
from nbflow.sites.session import Completed, absolute, check_argv, expand

__all__ = ["LocalSession"]

NOT_FOUND = 127
CHUNK_NBYTES = 1 << 16


@final
@dataclass(frozen=True, slots=True)
class Direct:
    """The way to a port that can be reached from here as it is."""

    host: str
    port: int

    def close(self) -> None:
        """Do nothing: nothing was opened."""


@final
class LocalChannel:
    """The stdin and stdout of a process of this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stdin = cast("IO[bytes]", process.stdin)
        self._stdout = cast("IO[bytes]", process.stdout)

    def send(self, content: bytes) -> None:
        """Write to its stdin; wait while it does not read."""
        try:
            self._stdin.write(content)
            self._stdin.flush()
        except (OSError, ValueError) as error:
            raise SiteError(f"{self._process.args!r} has ended and reads no more") from error

    def receive(self) -> bytes:
        """Wait for what it writes to stdout; return b"" once it has ended."""
        return os.read(self._stdout.fileno(), CHUNK_NBYTES)

    def close(self) -> None:
        """End the process and what it has started."""
        _kill(self._process)
        with contextlib.suppress(BrokenPipeError):  # what was not read in time is lost with the process
            self._stdin.close()


@final
class LocalSession:
    """Run commands and keep files on this machine."""

    def __init__(self) -> None:
        self._channels: list[LocalChannel] = []

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float | None = None
    ) -> Completed:
        """Run a command to its end."""
        words = check_argv(argv)
        if shutil.which(words[0]) is None:
            return Completed(NOT_FOUND, "", f"{words[0]}: command not found\n")
        process = _start(words, stderr=subprocess.PIPE)
        try:
            stdout, stderr = process.communicate(input, timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise SiteError(f"{words[0]!r} did not end within {timeout_seconds} s and was killed") from error
        finally:
            if process.returncode is None:
                _kill(process)
        return Completed(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def start(self, argv: Sequence[str]) -> LocalChannel:
        """Start a command that lives as long as its channel."""
        channel = LocalChannel(_start(check_argv(argv), stderr=subprocess.DEVNULL))
        self._channels.append(channel)
        return channel

    def put(self, content: bytes, path: str, *, mode: int = 0o600) -> None:
        """Write a file, whole or not at all."""
        target = Path(absolute(path, str(Path.home())))
        try:
            for missing in reversed([parent for parent in target.parents if not parent.exists()]):
                missing.mkdir(mode=0o700, exist_ok=True)
            _replace(target, content, mode)
        except OSError as error:
            raise SiteError(f"cannot write {path}: {error.strerror or error}") from error

    def get(self, path: str) -> bytes:
        """Read a file."""
        try:
            return Path(absolute(path, str(Path.home()))).read_bytes()
        except FileNotFoundError as error:
            raise SiteFileMissing(f"there is no file {path}") from error
        except OSError as error:
            raise SiteError(f"cannot read {path}: {error.strerror or error}") from error

    def resolve(self, path: str) -> str:
        """Return `path` with `~`, `$NAME` and `${NAME}` expanded."""
        return expand(path, {"HOME": str(Path.home()), **os.environ})

    def forward(self, host: str, port: int) -> Direct:
        """Return the port itself: it can be reached from here."""
        return Direct(host, port)

    def close(self) -> None:
        """End the processes of open channels."""
        while self._channels:
            self._channels.pop().close()


def _start(words: list[str], *, stderr: int) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that interrupting a cell does not reach it."""
    try:
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
        )
    except OSError as error:
        raise SiteError(f"cannot start {words[0]!r}: {error.strerror or error}") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with what it has started, unless it has ended and is forgotten."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _replace(target: Path, content: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".nbflow-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
