"""Own the end of what a berth keeps alive, by whoever has no use for its pilots."""

from __future__ import annotations

from nbflow.executors.pilots.berth import Berth
from nbflow.executors.pilots.plan import Plan
from nbflow.providers.job import JobId
from nbflow.providers.registry import open_provider
from nbflow.sites.session import Session
from nbflow.worker.standby import END

__all__ = ["end_berth"]


def end_berth(berth: Berth, plan: Plan, session: Session) -> None:
    """Cancel the jobs of a berth, end what runs at its site, and forget it.

    Raises ProviderError or SiteError when that cannot be done, and forgets nothing then.
    """
    record = berth.record
    jobs = [block.job for block in record.blocks if block.job is not None]
    plan = plan.on(session)
    provider = open_provider(plan.site.scheduler, session, plan.before_commands)
    provider.cancel([JobId(job) for job in jobs])
    if record.directory:
        session.run(plan.module("nbflow.worker.standby", END, record.directory))
    berth.remove()
