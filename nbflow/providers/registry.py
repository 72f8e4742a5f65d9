"""Own the names of providers: those of nbflow, and those that other packages offer as entry points.

An entry point of the group `nbflow.providers` names a BatchSystem.
"""

from __future__ import annotations

from typing import Final

from nbflow.errors import ConfigError
from nbflow.providers.batch import BatchProvider
from nbflow.providers.job import JobSpec
from nbflow.providers.protocol import Provider
from nbflow.providers.system import BatchSystem
from nbflow.registry import Registry
from nbflow.sites.session import Session

__all__ = ["open_provider", "provider_names", "render_job"]

PROVIDERS: Final = Registry(
    kind="provider",
    group="nbflow.providers",
    built_in={
        "gridengine": "nbflow.providers.systems.gridengine:GRIDENGINE",
        "htcondor": "nbflow.providers.systems.htcondor:HTCONDOR",
        "local": "nbflow.providers.systems.local:LOCAL",
        "lsf": "nbflow.providers.systems.lsf:LSF",
        "pbs": "nbflow.providers.systems.pbs:PBS",
        "slurm": "nbflow.providers.systems.slurm:SLURM",
    },
)


def provider_names() -> list[str]:
    """Return the names of all providers that are there, sorted."""
    return PROVIDERS.names()


def open_provider(name: str, session: Session, before: tuple[str, ...] = ()) -> Provider:
    """Return the provider of this name, working through a session. Raises ConfigError for an unknown name.

    `before` are words in front of each command, which give it the environment that it needs.
    """
    return BatchProvider(_system(name), session, before)


def render_job(name: str, spec: JobSpec) -> str:
    """Return the script that a provider would submit, for a person to read. Nothing is run."""
    return _system(name).render(spec)


def _system(name: str) -> BatchSystem:
    found = PROVIDERS.find(name)
    if not isinstance(found, BatchSystem):
        raise ConfigError(
            f"the provider {name!r} is {found!r}; it must be an nbflow.providers.system.BatchSystem"
        )
    return found
