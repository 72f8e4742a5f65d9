"""Own how a command at a site gets the environment of a job: a login shell, then the site's set-up lines."""

from __future__ import annotations

from nbflow.sites.model import Site

__all__ = ["in_setup"]

QUIETLY = 'exec bash -lc "$@" 3>&1 4<&0 >&2 </dev/null'
COMMAND = 'exec "$@" >&3 <&4 3>&- 4<&-'


def in_setup(site: Site) -> tuple[str, ...]:
    """Return the words before a command that run it as a job of the site would be.

    Its stdin and stdout are its own: what a login profile or a set-up line prints goes to stderr, and what
    they read is empty.
    """
    return ("bash", "-c", QUIETLY, "bash", "\n".join((*site.setup, COMMAND)), "bash")
