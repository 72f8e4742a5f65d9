"""Own logging in over SSH: the hosts on the way, their keys, and the questions that they ask.

Host keys are always verified against the user's known hosts, whatever the SSH configuration says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import asyncssh
from asyncssh.misc import HostKeyNotVerifiable, KeyExchangeFailed, PermissionDenied

from nbflow.errors import SiteError
from nbflow.sites.model import Authentication, Login

__all__ = ["Prompt", "Question", "dial"]


@final
@dataclass(frozen=True, slots=True)
class Prompt:
    """What a host asks; what is typed for a secret is not shown."""

    text: str
    is_secret: bool


Question = Callable[[Prompt], Awaitable[str]]

ANSWER_SECONDS = 20.0
"""How long a host may take for its part of a login: until it asks, and after each answer."""
TRIES = 3
PROMPT_CHARACTERS = 200
KEEPALIVE_SECONDS = 15
KEEPALIVES_MISSED = 3
DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


async def dial(login: Login, question: Question | None) -> list[asyncssh.SSHClientConnection]:
    """Log in through all hosts on the way; return their connections, the site's last.

    `question` is asked when a host wants a password or code; without it such hosts refuse the login. Raises
    SiteError that says which host failed, and what to do.
    """
    connections: list[asyncssh.SSHClientConnection] = []
    try:
        await _Way(login, question, connections).follow(login.host, login.user, login.port, login.jump, set())
    except BaseException:
        for connection in reversed(connections):
            connection.abort()
        raise
    return connections


@final
class _Way:
    """The hosts from here to the site. A host on the way may have others before it."""

    def __init__(
        self, login: Login, question: Question | None, connections: list[asyncssh.SSHClientConnection]
    ) -> None:
        self._config = [login.ssh_config] if login.ssh_config else ()
        self._question = question if login.authentication is Authentication.INTERACTIVE else None
        self._connections = connections

    async def follow(
        self, host: str, user: str | None, port: int | None, jump: str | None, passed: set[str]
    ) -> None:
        """Log in to `host`, and before it to the hosts that it is reached through."""
        options = self._options(host, user, port)
        hops = jump or (options.tunnel if isinstance(options.tunnel, str) else "")
        for hop in hops.split(","):
            hop_host, hop_user, hop_port = _parse_hop(hop)
            if hop_host and hop_host != host and hop_host not in passed:
                await self.follow(hop_host, hop_user, hop_port, None, passed | {host})
        self._connections.append(await self._log_in(host, options))

    def _options(self, host: str, user: str | None, port: int | None) -> asyncssh.SSHClientConnectionOptions:
        is_interactive = self._question is not None
        try:
            return asyncssh.SSHClientConnectionOptions(
                host=host,
                config=[str(Path(path).expanduser()) for path in self._config] or (),
                port=port or (),
                username=user or (),
                password_auth=is_interactive,
                kbdint_auth=is_interactive,
                connect_timeout=None,  # a person who types is given more time; see `_log_in`
                login_timeout=0,
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVES_MISSED,
            )
        except (OSError, ValueError, asyncssh.Error) as error:
            raise SiteError(
                f"cannot log in to {host}: {error}; correct the SSH configuration or the keys that it names"
            ) from error

    async def _log_in(
        self, host: str, options: asyncssh.SSHClientConnectionOptions
    ) -> asyncssh.SSHClientConnection:
        known_hosts = _known_hosts(options)
        client = _Client(host, self._question)
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as client.deadline:
                return await asyncssh.connect(
                    host,
                    options=options,
                    tunnel=self._connections[-1] if self._connections else None,
                    known_hosts=known_hosts or b"",
                    client_factory=lambda: client,
                )
        except HostKeyNotVerifiable as error:
            raise SiteError(_untrusted(host, options, client, known_hosts)) from error
        except KeyExchangeFailed as error:
            raise SiteError(f"{host} offers no host key of a kind that is known here: {error}") from error
        except PermissionDenied as error:
            raise SiteError(_refused(host, options.username, can_ask=self._question is not None)) from error
        except TimeoutError as error:
            raise SiteError(
                f"{host} gave no answer for {ANSWER_SECONDS:.0f} s; check its name, the network and whether "
                "the site is up"
            ) from error
        except (OSError, asyncssh.Error) as error:
            raise SiteError(
                f"{host} cannot be reached: {error}; check its name, the network and whether the site is up"
            ) from error


@final
class _Client(asyncssh.SSHClient):
    """Answer what a host asks during the login."""

    def __init__(self, host: str, question: Question | None) -> None:
        self._host = host
        self._question = question
        self._tries = 0
        self.deadline: asyncio.Timeout | None = None
        self.shown_key: asyncssh.SSHKey | None = None
        self.address = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Keep the key that nobody vouches for, so that the refusal can name it."""
        self.shown_key = key
        self.address = addr
        return False

    async def password_auth_requested(self) -> str | None:
        """Ask for the password."""
        return await self._ask("password: ", is_secret=True) if self._may_try() else None

    def kbdint_auth_requested(self) -> str | None:
        """Agree to be asked, a few times."""
        return "" if self._may_try() else None

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """Ask what the host asks: passwords, codes."""
        return [await self._ask(text, is_secret=not is_shown) for text, is_shown in prompts]

    def _may_try(self) -> bool:
        self._tries += 1
        return self._question is not None and self._tries <= TRIES

    async def _ask(self, text: str, *, is_secret: bool) -> str:
        if self._question is None or self.deadline is None:
            raise SiteError(f"{self._host} asks a question, and nobody can be asked here")
        self.deadline.reschedule(None)
        answer = await self._question(Prompt(f"{self._host}: {_inert(text)}", is_secret))
        self.deadline.reschedule(asyncio.get_running_loop().time() + ANSWER_SECONDS)
        return answer


def _parse_hop(hop: str) -> tuple[str, str | None, int | None]:
    user, _, address = hop.strip().rpartition("@")
    host, _, port = address.partition(":")
    return ("" if host == "none" else host), user or None, int(port) if port.isdigit() else None


def _known_hosts(options: asyncssh.SSHClientConnectionOptions) -> list[str]:
    """Return the files of known hosts; `UserKnownHostsFile none` trusts nobody, not everybody."""
    named = options.known_hosts
    if not isinstance(
        named, list
    ):  # the options were given none, so it is None or a list from the configuration
        return []
    paths = [Path(path).expanduser() for path in named or DEFAULT_KNOWN_HOSTS]
    return [str(path) for path in paths if path.is_file()]


def _untrusted(
    host: str, options: asyncssh.SSHClientConnectionOptions, client: _Client, known_hosts: list[str]
) -> str:
    fingerprint = client.shown_key.get_fingerprint() if client.shown_key else "of an unknown kind"
    port = options.port if options.port != asyncssh.DEFAULT_PORT else None
    name = options.host_key_alias or options.host
    known = asyncssh.match_known_hosts(known_hosts, name, client.address, port)[0] if known_hosts else ()
    entry = f"[{name}]:{port}" if port else name
    if known:
        return (
            f"the host key of {host} HAS CHANGED: it shows {fingerprint}, and {', '.join(known_hosts)} knows "
            "another. Somebody may be in between, so nothing was sent. Ask the site if it has a new key; if "
            f" so, `ssh-keygen -R '{entry}'`, then log in once with ssh"
        )
    return (
        f"the host key of {host} is not known here: it shows {fingerprint}. Compare that with what the site "
        f"publishes, then log in once with `ssh {host}`, which remembers the key"
    )


def _refused(host: str, user: str, *, can_ask: bool) -> str:
    told = f"{host} refused the login of {user}"
    if can_ask:
        return f"{told}: the answers were not right, or the account may not log in; try `ssh {host}`"
    return (
        f"{told} by keys: see that `ssh {host}` works without asking anything (a key that the site knows, "
        "loaded into the agent when it has a passphrase), or set login.authentication = 'interactive'"
    )


def _inert(text: str) -> str:
    """Return a prompt as plain text of one line: a host may not imitate another prompt or move the cursor."""
    shown = "".join(one if one.isprintable() else " " for one in text[:PROMPT_CHARACTERS])
    return shown.strip() + " "
