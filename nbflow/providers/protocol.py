"""Own the interface between blocks and whatever gives them jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from nbflow.providers.job import JobId, JobSpec, JobStatus

__all__ = ["Provider"]


class Provider(Protocol):
    """Ask one batch system, cloud or machine for jobs; know nothing of tasks.

    Methods block while a command of the batch system runs. One thread uses a provider at a time.
    `trouble` says why the last `status` could not be trusted; it is empty when it could.
    """

    trouble: str

    def submit(self, spec: JobSpec) -> JobId:
        """Have a job queued, and return its id.

        Raises ProviderError when it was refused, and SubmitUncertain when nobody can tell: then `submit` with
        the same spec (the same name) finds the job that exists, or makes the one that does not.
        """

    def status(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Return what is known of each of the jobs.

        States only move forward. A batch system that does not answer, or answers nonsense, changes nothing.
        """

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Have jobs ended, pending or active. Jobs that have ended, or are unknown, are passed over.

        Raises ProviderError when the batch system refused.
        """
