"""Own what every session on a site promises. How it gets there is for `local` and `ssh`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from nbflow.errors import SiteError

__all__ = ["VARIABLE", "Channel", "Completed", "Forward", "Session", "absolute", "check_argv", "expand"]

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended: `exit_code` is minus the number of the signal that ended it."""

    exit_code: int
    stdout: str
    stderr: str


class Forward(Protocol):
    """A way to a port of the other side; connect to `host`, `port` until it is closed."""

    @property
    def host(self) -> str:
        """Return the host to connect to from here."""

    @property
    def port(self) -> int:
        """Return the port to connect to from here."""

    def close(self) -> None:
        """End the way. Calling it again does nothing."""


class Channel(Protocol):
    """The stdin and stdout of a process on the other side, for as long as it lives."""

    def send(self, content: bytes) -> None:
        """Write to its stdin; wait while it does not read. Raises SiteError when it has ended."""

    def receive(self) -> bytes:
        """Wait for what it writes to stdout; return b"" once it has ended."""

    def close(self) -> None:
        """End the process. Calling it again does nothing."""


class Session(Protocol):
    """A live, authenticated way to do things on a site; any thread may use it.

    Paths are absolute, or start with `~/`: nothing else in them is expanded. Everything raises SiteError when
    the site cannot be reached, and AuthExpired when only a person can log in again.
    """

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float | None = None
    ) -> Completed:
        """Run a command to its end; no shell sees `argv`. Where it starts is not promised.

        A command that is not there ends with exit code 127, as in a shell. After `timeout_seconds` it is
        killed, and SiteError raised.
        """

    def start(self, argv: Sequence[str]) -> Channel:
        """Start a command that lives as long as its channel; its stderr is dropped."""

    def put(self, content: bytes, path: str, *, mode: int = 0o600) -> None:
        """Write a file, whole or not at all; missing directories are made, only for this user to enter."""

    def get(self, path: str) -> bytes:
        """Read a file. Raises SiteFileMissing when it is not there."""

    def resolve(self, path: str) -> str:
        """Return `path` as the other side knows it, with `~`, `$NAME` and `${NAME}` of its login expanded."""

    def forward(self, host: str, port: int) -> Forward:
        """Open a way from this machine to a port as `host`, seen from the other side, has it."""

    def close(self) -> None:
        """End the session and its channels and ways. Calling it again does nothing."""


def check_argv(argv: Sequence[str]) -> list[str]:
    """Return `argv` as a list. Raises SiteError for what cannot be a command."""
    words = [argv] if isinstance(argv, str) else list(argv)
    if isinstance(argv, str) or not words or not all(isinstance(word, str) for word in words):
        raise SiteError(f"cannot run {argv!r}: give a list of words, the command first")
    if any("\0" in word for word in words):
        raise SiteError(f"cannot run {words[0]!r}: a word has a NUL character, which no command can be given")
    return words


def absolute(path: str, home: str) -> str:
    """Return `path` with a leading `~/` as `home`. Raises SiteError for a relative path."""
    if path == "~" or path.startswith("~/"):
        return posixpath.join(home, path[2:])
    if not path.startswith("/") or "\0" in path:
        raise SiteError(f"path {path!r}: give an absolute path, or one that starts with ~/")
    return path


def expand(path: str, environment: Mapping[str, str]) -> str:
    """Return `path` with the variables of `environment` in it, once: what they hold is not expanded again.

    Raises SiteError for a variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not environment.get(name):
            raise SiteError(f"path {path!r}: ${name} is not set in the login environment of the site")
        return environment[name]

    return absolute(VARIABLE.sub(value, path), environment.get("HOME", "/"))
