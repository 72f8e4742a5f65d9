"""Own how Grid Engine is talked to: qsub, qstat, qacct, qdel (Son of Grid Engine and its kin)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree import ElementTree

from nbflow.errors import ConfigError
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.script import clock, job_script, mebibytes
from nbflow.providers.system import (
    UTC,
    BatchSystem,
    Find,
    Query,
    Reports,
    Unreadable,
    epoch_seconds,
    signal_of,
    whole_lines,
)

__all__ = ["GRIDENGINE"]

FAILURES: Final[Mapping[int, EndCause]] = {
    19: EndCause.NODE_FAIL,  # a machine that crashed
    21: EndCause.NODE_FAIL,  # a job that its host knows no longer
    37: EndCause.TIMEOUT,  # h_rt or another limit, enforced by the master
}
"""`failed` in the accounting file, see sge_status(5)."""

KILLED: Final = 100
"""`failed` of a job that a signal ended."""

TO_BE_RUN_AGAIN: Final = frozenset({24, 25})
"""Migrating and rescheduled: not an end."""

DATE: Final = "%a %b %d %H:%M:%S %Y"

DEFAULT_ENVIRONMENT: Final = "smp"
"""The parallel environment of one host, by its commonest name."""


def _options(spec: JobSpec) -> Iterator[str]:
    yield "-S /bin/bash"
    yield f"-N {spec.name}"
    yield f"-o {spec.stdout}"
    yield f"-e {spec.stderr}" if spec.stderr else "-j y"
    yield "-r n"
    slots = spec.nodes * max(spec.cores_per_node or 1, spec.processes_per_node)
    if slots > 1 and not any(line.startswith("-pe ") for line in spec.directives):
        if spec.nodes > 1:
            raise ConfigError(
                f"a Grid Engine job of {spec.nodes} nodes needs the name of a parallel environment; "
                f"add '-pe NAME {slots}' to the directives (`qconf -spl` lists the names)"
            )
        yield f"-pe {DEFAULT_ENVIRONMENT} {slots}"
    if spec.walltime_seconds:
        yield f"-l h_rt={clock(spec.walltime_seconds)}"
    if spec.memory_nbytes:
        yield f"-l mem_free={mebibytes(spec.memory_nbytes)}M"
    if spec.gpus_per_node:
        yield f"-l gpu={spec.gpus_per_node}"
    for letters, value in (("-q", spec.partition), ("-P", spec.account), ("-ar", spec.reservation)):
        if value:
            yield f"{letters} {value}"


def render(spec: JobSpec) -> str:
    """Return the script that qsub takes; the account is a project."""
    return job_script(spec, mark="#$", options=_options(spec))


def parse_submit(text: str) -> JobId | None:
    """Return the id from `qsub -terse`; a notice of the site may come before it."""
    found = re.search(r"^(\d+)\s*\Z", text.strip(), re.MULTILINE)
    return JobId(found[1]) if found else None


def _jobs(text: str) -> Iterator[ElementTree.Element]:
    try:
        top = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Unreadable(f"this is no answer of qstat: {text[:200]!r}") from error
    if top.tag != "job_info":
        raise Unreadable(f"this is no list of jobs: {text[:200]!r}")
    return top.iter("job_list")


def parse_qstat(text: str) -> Reports:
    """Return what `qstat -xml -g t` says: the jobs that have not ended, with a line for each host."""
    found: dict[JobId, JobStatus] = {}
    for job in _jobs(text):
        number = JobId(job.findtext("JB_job_number", ""))
        word = job.findtext("state", "")
        before = found[number].nodes if number in found else ()
        host = job.findtext("queue_name", "").rpartition("@")[2]
        nodes = before if not host or host in before else (*before, host)
        started = epoch_seconds(job.findtext("JAT_start_time", ""), "%Y-%m-%dT%H:%M:%S")
        found[number] = JobStatus(
            # Letters combine: `hqw` waits on hold, `Eqw` in error; `t`, `r`, `s`, `dr`, `Rr` hold a slot.
            state=JobState.PENDING if "q" in word or "w" in word else JobState.ACTIVE,
            word=word,
            reason=f"in error: `qstat -j {number}` says why" if "E" in word else "",
            nodes=nodes,
            started_at=started,
        )
    return found


def parse_names(text: str, name: str) -> Sequence[JobId]:
    """Return the ids of the jobs of this name."""
    return [
        JobId(job.findtext("JB_job_number", ""))
        for job in _jobs(text)
        if name in (job.findtext("full_job_name"), job.findtext("JB_name"))
    ]


def parse_qacct(text: str) -> Reports:
    """Return what `qacct -j` says of jobs that ended; of several records of a job, the last counts."""
    found: dict[JobId, JobStatus] = {}
    for block in re.split(r"^=+\n", text, flags=re.MULTILINE)[1:]:
        pairs = (line.split(None, 1) for line in whole_lines(block) if line.strip())
        record = {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}
        try:
            failed, exit_status = (int(record[key].split()[0]) for key in ("failed", "exit_status"))
            number = JobId(record["jobnumber"])
        except (KeyError, ValueError, IndexError) as error:
            raise Unreadable(f"this is no record of qacct: {block[:200]!r}") from error
        if failed not in TO_BE_RUN_AGAIN:
            found[number] = _ended(record, failed, exit_status)
    return found


def _ended(record: Mapping[str, str], failed: int, exit_status: int) -> JobStatus:
    cause = FAILURES.get(failed, EndCause.FAILED)
    if failed == 0 and exit_status == 0:
        cause = EndCause.COMPLETED
    elif failed == KILLED and _is_late(record):
        cause = EndCause.TIMEOUT
    signal = signal_of(exit_status) if failed else None
    return JobStatus(
        state=JobState.ENDED,
        cause=cause,
        word=f"failed {record['failed']}" if failed else "ended",
        reason=record["failed"].partition(":")[2].strip(),
        exit_code=None if signal else exit_status,
        signal=signal,
        nodes=(record["hostname"],) if "hostname" in record else (),
        started_at=epoch_seconds(record.get("start_time", ""), DATE),
        ended_at=epoch_seconds(record.get("end_time", ""), DATE),
    )


def _is_late(record: Mapping[str, str]) -> bool:
    """Tell whether a job ran as long as it may; where its host ends it, only the signal is told."""
    limit = re.search(r"\bh_rt=(\d+)", record.get("category", ""))
    ran = re.match(r"\d+", record.get("ru_wallclock", ""))
    return bool(limit and ran and int(ran[0]) >= int(limit[1]))


GRIDENGINE: Final = BatchSystem(
    title="Grid Engine",
    render=render,
    submit=lambda spec: ("qsub", "-terse"),
    parse_submit=parse_submit,
    queries=(
        Query(argv=lambda jobs: (*UTC, "qstat", "-xml", "-g", "t"), parse=parse_qstat),
        # qacct takes one id at a time; each job is asked for here once, when it has left the queue.
        Query(
            argv=lambda jobs: (*UTC, "sh", "-c", 'for job; do qacct -j "$job"; done', "qacct", *jobs),
            parse=parse_qacct,
            none=re.compile(r"job id \S+ not found"),
        ),
    ),
    find=Find(argv=lambda name: (*UTC, "qstat", "-xml", "-r"), parse=parse_names),
    cancel=("qdel",),
    gone=re.compile(r"does not exist|already in deletion|has registered the job|has deleted job"),
)
