"""Own jobs that are processes of the machine that a session reaches; `runner` is their batch system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nbflow.errors import ConfigError
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.script import job_script
from nbflow.providers.system import NEVER, BatchSystem, Find, Query, Reports, Unreadable, meaning

__all__ = ["LOCAL", "local_system"]

ROOT: Final = "~/.local/state/nbflow/jobs"
RUNNER: Final = Path(__file__).with_name("runner.py").read_text()

FOREVER_SECONDS: Final = 10 * 365 * 24 * 3600

WORDS: Final[Mapping[str, JobState | EndCause]] = {
    "STARTING": JobState.PENDING,
    "RUNNING": JobState.ACTIVE,
    "CANCELLED": EndCause.CANCELLED,
    "TIMEOUT": EndCause.TIMEOUT,
    "LOST": EndCause.UNKNOWN,
}


def render(spec: JobSpec) -> str:
    """Return the script of a job. Its environment is the session's: nothing resets what is on the PATH."""
    if spec.nodes > 1:
        raise ConfigError(f"a job of this machine wants {spec.nodes} nodes; there is one: use nodes=1")
    streams = f"exec >{spec.stdout} 2>{spec.stderr or '&1'}"
    return job_script(spec, shebang="#!/bin/bash", opening=(streams,))


def parse_status(text: str) -> Reports:
    """Return what `status` of the runner says."""
    try:
        return {JobId(job["id"]): _status(job) for job in json.loads(text)["jobs"]}
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"this is no answer of the runner: {text[:200]!r}") from error


def _status(job: Mapping[str, Any]) -> JobStatus:
    code: int | None = job.get("returncode")
    words = {**WORDS, "ENDED": EndCause.FAILED if code else EndCause.COMPLETED}
    state, cause = meaning(words, job["word"])
    signal = -code if code is not None and code < 0 else None
    is_lost = job["word"] == "LOST"
    return JobStatus(
        state=state,
        cause=cause,
        word=job["word"],
        reason="its supervisor is gone: killed, or the machine was restarted" if is_lost else "",
        exit_code=None if signal else code,
        signal=signal,
        nodes=(job["host"],) if "host" in job else (),
        started_at=job.get("started_at"),
        ended_at=job.get("ended_at"),
    )


def local_system(root: str = ROOT, python: str = "python3") -> BatchSystem:
    """Return the table for jobs that keep their records in the folder `root` and are run by `python`."""

    def runner(verb: str, *words: str) -> tuple[str, ...]:
        return (python, "-c", RUNNER, verb, root, *words)

    return BatchSystem(
        title="this machine",
        render=render,
        submit=lambda spec: runner("submit", spec.name, str(spec.walltime_seconds or FOREVER_SECONDS)),
        parse_submit=lambda text: JobId(text.strip()) if text.strip() else None,
        queries=(Query(argv=lambda jobs: runner("status", *jobs), parse=parse_status),),
        find=Find(argv=lambda name: runner("status", name), parse=lambda text, _: list(parse_status(text))),
        cancel=runner("cancel"),
        gone=NEVER,
    )


LOCAL: Final = local_system()
