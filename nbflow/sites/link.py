"""Own the connection behind a session: made once, made again only when that needs no person."""

from __future__ import annotations

import asyncio
from typing import final

import asyncssh

from nbflow.errors import AuthExpired, SiteError
from nbflow.sites.login import Prompt, Question, dial
from nbflow.sites.model import Login

__all__ = ["Link"]

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
CLOSE_SECONDS = 3.0


@final
class Link:
    """One login to a site, shared by everything that a session does. All of it runs in one event loop."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lock = asyncio.Lock()
        self._connections: list[asyncssh.SSHClientConnection] = []
        self._files: asyncssh.SFTPClient | None = None
        self._was_asked = False
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._not_before = 0.0

    async def open(self, question: Question | None) -> None:
        """Log in for the first time: the only time that `question` may be asked."""

        async def noted(prompt: Prompt) -> str:
            self._was_asked = True
            assert question is not None
            return await question(prompt)

        self._connections = await dial(self._login, noted if question else None)

    async def connection(self) -> asyncssh.SSHClientConnection:
        """Return the live connection, logged in again if it was lost.

        Raises AuthExpired when that needs a person, SiteError when it fails. Failures are followed by pauses,
        each twice as long as the one before: a site that is down is not hammered.
        """
        async with self._lock:
            if not self._is_alive():
                await self._reconnect()
            return self._connections[-1]

    async def files(self) -> asyncssh.SFTPClient:
        """Return the SFTP client of the live connection."""
        connection = await self.connection()
        async with self._lock:
            if self._files is None:
                self._files = await connection.start_sftp_client()
            return self._files

    async def close(self) -> None:
        """Log out of all hosts."""
        connections, self._connections = self._connections, []
        for connection in reversed(connections):
            connection.close()
            try:
                await asyncio.wait_for(connection.wait_closed(), CLOSE_SECONDS)
            except TimeoutError:  # the other side is silent, and would be waited for
                connection.abort()

    def _is_alive(self) -> bool:
        return bool(self._connections) and not any(one.is_closed() for one in self._connections)

    async def _reconnect(self) -> None:
        host = self._login.host
        if self._was_asked:
            raise AuthExpired(
                f"the login to {host} has ended, and it asked for a password or code: open the site again"
            )
        left = self._not_before - asyncio.get_running_loop().time()
        if left > 0:
            raise SiteError(f"{host} could not be reached; the next try is in {left:.0f} s")
        self._files = None
        await self.close()
        try:
            self._connections = await dial(self._login, None)
        except SiteError:
            self._not_before = asyncio.get_running_loop().time() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
            raise
        self._pause_seconds = FIRST_PAUSE_SECONDS
