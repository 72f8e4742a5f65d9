"""Own the choice of the session for a site."""

from __future__ import annotations

import sys
from collections.abc import Callable

from nbflow.errors import SiteError
from nbflow.sites.local import LocalSession
from nbflow.sites.model import Site
from nbflow.sites.session import Session

__all__ = ["Ask", "interpreter", "open_session"]

Ask = Callable[[str, bool], str]
"""Answers a question of a login: its text, and whether the answer is a secret."""


def open_session(site: Site, ask: Ask | None = None) -> Session:
    """Open a session on a site; `ask` is called, in this thread, for what its login asks.

    Raises SiteError when the login fails, or when the package for SSH is not installed.
    """
    if site.login is None:
        return LocalSession()
    try:
        from nbflow.sites.ssh import SshSession  # only who has such a site needs asyncssh
    except ModuleNotFoundError as error:
        raise SiteError(
            f"site {site.name} is reached over SSH: pip install 'jupyter-nbflow[pilots]' ({error})"
        ) from error
    return SshSession(site.login, ask)


def interpreter(site: Site, session: Session) -> str:
    """Return the site's Python as a command there: with `~` and variables expanded, or a name to look for."""
    if site.has_this_python:
        return sys.executable
    return session.resolve(site.python) if site.python.startswith(("~", "$")) else site.python
