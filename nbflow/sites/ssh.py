"""Own the session over SSH: one login, whatever is done with it, and any thread may do it."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import Any, TypeVar, final

import asyncssh

from nbflow.errors import SiteError, SiteFileMissing
from nbflow.sites.link import Link
from nbflow.sites.login import Prompt
from nbflow.sites.loop import LoopThread
from nbflow.sites.model import Login
from nbflow.sites.process import RemoteProcess, SshChannel
from nbflow.sites.session import Completed, absolute, check_argv, expand
from nbflow.sites.ways import SshForward

__all__ = ["SshSession"]

Value = TypeVar("Value")
START_OF_ENVIRONMENT = "nbflow-environment"
PRIVATE = asyncssh.SFTPAttrs(permissions=0o700)


@final
@dataclass(frozen=True, slots=True)
class _Asked:
    prompt: Prompt
    answer: asyncio.Future[str]


@final
class SshSession:
    """Do things on a site through one SSH login, made when the session is.

    `ask` is called in the thread that makes the session, and only then: a login that asked for a password or
    code is never repeated by itself. Raises SiteError when the login fails.
    """

    def __init__(self, login: Login, ask: Callable[[str, bool], str] | None = None) -> None:
        self._host = login.host
        self._thread = LoopThread("nbflow-ssh")
        self._link = Link(login)
        self._channels: list[SshChannel] = []
        self._forwards: list[SshForward] = []
        try:
            self._open(ask)
        except BaseException:
            self.close()
            raise

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float | None = None
    ) -> Completed:
        """Run a command to its end."""
        return self._call(self._run(check_argv(argv), input, timeout_seconds))

    def start(self, argv: Sequence[str]) -> SshChannel:
        """Start a command that lives as long as its channel."""
        channel = SshChannel(self._thread, self._call(self._start(check_argv(argv))))
        self._channels.append(channel)
        return channel

    def put(self, content: bytes, path: str, *, mode: int = 0o600) -> None:
        """Write a file, whole or not at all."""
        self._call(self._put(content, self._absolute(path), mode))

    def get(self, path: str) -> bytes:
        """Read a file."""
        return self._call(self._get(self._absolute(path)))

    def resolve(self, path: str) -> str:
        """Return `path` with `~`, `$NAME` and `${NAME}` of the login expanded."""
        return expand(path, self._environment)

    def forward(self, host: str, port: int) -> SshForward:
        """Open a way from this machine to a port as the other side sees it; it outlives lost connections."""
        forward = self._call(SshForward.open(self._thread, self._link, host, port))
        self._forwards.append(forward)
        return forward

    def close(self) -> None:
        """Log out, and join the thread."""
        if not self._thread.is_open:
            return
        for channel in self._channels:
            channel.close()
        for forward in self._forwards:
            forward.close()
        self._thread.call(self._link.close())
        self._thread.close()

    def _open(self, ask: Callable[[str, bool], str] | None) -> None:
        """Log in, and answer in this thread what is asked on the way: people are asked where they type."""
        asked: SimpleQueue[_Asked | None] = SimpleQueue()

        async def question(prompt: Prompt) -> str:
            one = _Asked(prompt, asyncio.get_running_loop().create_future())
            asked.put(one)
            return await one.answer

        login = self._thread.submit(self._link.open(question if ask else None))
        login.add_done_callback(lambda _: asked.put(None))
        try:
            while (one := asked.get()) is not None:
                assert ask is not None
                answer = ask(one.prompt.text, one.prompt.is_secret)
                one.answer.get_loop().call_soon_threadsafe(one.answer.set_result, answer)
            login.result()
        except BaseException:
            login.cancel()
            raise

    def _call(self, work: Coroutine[Any, Any, Value]) -> Value:
        if not self._thread.is_open:
            work.close()
            raise SiteError(f"the session on {self._host} is closed; open the site again")
        return self._thread.call(work)

    def _absolute(self, path: str) -> str:
        home = self._environment.get("HOME", "/") if path.startswith("~") else "/"
        return absolute(path, home)

    @cached_property
    def _environment(self) -> dict[str, str]:
        """Ask for the environment of a login shell; its profile may print what it likes before it."""
        shown = self.run(["sh", "-lc", f"echo; echo {START_OF_ENVIRONMENT}; exec env -0"])
        _, found, text = shown.stdout.partition(f"\n{START_OF_ENVIRONMENT}\n")
        if not found or shown.exit_code != 0:
            raise SiteError(f"the login shell of {self._host} ended with {shown.exit_code}: {shown.stderr}")
        return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)

    async def _run(self, words: list[str], given: bytes, timeout_seconds: float | None) -> Completed:
        try:
            async with self._translated(words[0]), asyncio.timeout(timeout_seconds):
                process = await RemoteProcess.start(await self._link.connection(), words, keeps_stderr=True)
                try:
                    exit_code, stdout, stderr = await process.communicate(given)
                finally:
                    await process.end()
        except TimeoutError as error:
            told = f"{words[0]!r} did not end within {timeout_seconds} s on {self._host} and was killed"
            raise SiteError(told) from error
        if exit_code is None:
            raise SiteError(f"the connection to {self._host} was lost while {words[0]!r} ran there")
        return Completed(exit_code, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    async def _start(self, words: list[str]) -> RemoteProcess:
        async with self._translated(words[0]):
            return await RemoteProcess.start(await self._link.connection(), words, keeps_stderr=False)

    async def _put(self, content: bytes, path: str, mode: int) -> None:
        directory = posixpath.dirname(path)
        part = posixpath.join(directory, f".nbflow-{secrets.token_hex(8)}")
        async with self._translated(path):
            files = await self._link.files()
            await files.makedirs(directory, attrs=PRIVATE, exist_ok=True)
            try:
                attributes = asyncssh.SFTPAttrs(permissions=0o600)
                async with files.open(part, "wb", attrs=attributes) as file:
                    await file.write(content)
                await files.chmod(part, mode)
                await files.posix_rename(part, path)
            except BaseException:
                with contextlib.suppress(asyncssh.Error, OSError):
                    await files.remove(part)
                raise

    async def _get(self, path: str) -> bytes:
        async with self._translated(path):
            files = await self._link.files()
            async with files.open(path, "rb") as file:
                content: bytes = await file.read()
                return content

    @asynccontextmanager
    async def _translated(self, what: str) -> AsyncIterator[None]:
        """Say in this package's errors what SSH could not do with `what`."""
        try:
            yield
        except TimeoutError:  # of the caller, who knows what took too long
            raise
        except asyncssh.SFTPNoSuchFile as error:
            raise SiteFileMissing(f"there is no file {what} on {self._host}") from error
        except (OSError, asyncssh.Error) as error:
            raise SiteError(f"{what}: {self._host} says: {error}") from error
