"""Own how HTCondor is talked to: condor_submit, condor_q, condor_history, condor_rm (version 9 and later)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from nbflow.errors import ConfigError
from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.script import job_script, mebibytes
from nbflow.providers.system import BatchSystem, Find, Query, Reports, Unreadable

__all__ = ["HTCONDOR"]

WORDS: Final[Mapping[int, tuple[str, JobState]]] = {
    1: ("Idle", JobState.PENDING),
    2: ("Running", JobState.ACTIVE),
    3: ("Removed", JobState.ENDED),
    4: ("Completed", JobState.ENDED),
    5: ("Held", JobState.PENDING),
    6: ("Transferring Output", JobState.ACTIVE),
    7: ("Suspended", JobState.ACTIVE),
}
"""JobStatus, in the manual's Job ClassAd Attributes."""

OUT_OF_TIME: Final = "nbflow: its walltime ended"
LOST_ITS_PLACE: Final = "nbflow: it lost its machine"
REMOVALS: Final[Mapping[str, EndCause]] = {
    OUT_OF_TIME: EndCause.TIMEOUT,
    LOST_ITS_PLACE: EndCause.PREEMPTED,
}

PLAIN: Final = re.compile(r"[A-Za-z0-9 /._=#!:;,+@-]")

ATTRIBUTES: Final = ",".join(
    (
        "ClusterId",
        "ProcId",
        "JobStatus",
        "HoldReason",
        "RemoveReason",
        "RemoteHost",
        "LastRemoteHost",
        "ExitBySignal",
        "ExitCode",
        "ExitSignal",
        "JobStartDate",
        "CompletionDate",
        "EnteredCurrentStatus",
    )
)


def _options(spec: JobSpec) -> Iterator[str]:
    yield f"batch_name = {spec.name}"
    yield "universe = vanilla"
    yield "executable = /bin/bash"
    yield "transfer_executable = False"
    yield f"arguments = {_arguments(spec)}"
    yield "getenv = False"
    yield f"output = {spec.stdout}"
    yield f"error = {spec.stderr or spec.stdout}"
    yield f"request_cpus = {max(spec.cores_per_node or 1, spec.processes_per_node)}"
    if spec.memory_nbytes:
        yield f"request_memory = {mebibytes(spec.memory_nbytes)}"
    if spec.gpus_per_node:
        yield f"request_gpus = {spec.gpus_per_node}"
    if spec.account:
        yield f"accounting_group = {spec.account}"
    late = f"JobStatus == 2 && time() - JobCurrentStartDate > {spec.walltime_seconds}"
    is_late = f"({late})" if spec.walltime_seconds else "False"
    # HTCondor would start a job again that lost its machine; here it ends, as elsewhere.
    yield f"periodic_remove = {is_late} || (JobStatus == 1 && NumJobStarts > 0)"
    yield f'periodic_remove_reason = ifThenElse(JobStatus == 2, "{OUT_OF_TIME}", "{LOST_ITS_PLACE}")'


def _arguments(spec: JobSpec) -> str:
    """Return bash's arguments with the whole script as one word, in which no mark means anything to HTCondor.

    Within double quotes, words are parted by blanks and quoted by `'`, which is doubled to stand for itself.
    """
    script = job_script(spec)
    coded = "".join(mark if PLAIN.match(mark) else _octal(mark) for mark in script)
    return f"\"-l -c 'eval $''{coded}'''\""


def _octal(mark: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in mark.encode("utf-8", "surrogateescape"))


def render(spec: JobSpec) -> str:
    """Return the submit description: the script for a person to read, then once more for HTCondor."""
    if spec.nodes > 1:
        raise ConfigError(f"an HTCondor job wants {spec.nodes} nodes; one is what it can have: use nodes=1")
    if spec.partition or spec.reservation:
        raise ConfigError(
            "HTCondor has no partitions and no reservations; leave them out, or say what machines must be "
            "like in the directives: 'requirements = ...'"
        )
    readable = (f"# {line}" for line in job_script(spec).splitlines())
    return "\n".join([*readable, *_options(spec), *spec.directives, "queue", ""])


def parse_submit(text: str) -> JobId | None:
    """Return the id from `condor_submit -terse`: `12.0 - 12.0`."""
    found = re.search(r"^(\d+\.\d+) - \d+\.\d+\s*$", text, re.MULTILINE)
    return JobId(found[1]) if found else None


def parse_ads(text: str) -> Reports:
    """Return what `condor_q -json` or `condor_history -json` says.

    Some versions write nothing where others write an empty list. So nothing is no answer here; a job that
    left the queue is found in the history.
    """
    try:
        ads = json.loads(text)
        if not isinstance(ads, list):
            raise TypeError(f"{type(ads)} is no list")
        return {JobId(f"{ad['ClusterId']}.{ad['ProcId']}"): _status(ad) for ad in ads}
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"this is no list of jobs of HTCondor: {text[:200]!r}") from error


def _status(ad: Mapping[str, Any]) -> JobStatus:
    word, state = WORDS.get(ad["JobStatus"], (str(ad["JobStatus"]), JobState.UNKNOWN))
    host = str(ad.get("RemoteHost") or ad.get("LastRemoteHost") or "").rpartition("@")[2]
    status = JobStatus(
        state=state,
        word=word,
        reason=str(ad.get("HoldReason", "")),
        nodes=(host,) if host else (),
        started_at=ad.get("JobStartDate"),
    )
    return _ended(status, ad) if state is JobState.ENDED else status


def _ended(status: JobStatus, ad: Mapping[str, Any]) -> JobStatus:
    status = replace(status, ended_at=ad.get("CompletionDate") or ad.get("EnteredCurrentStatus"))
    if status.word == "Removed":
        reason = str(ad.get("RemoveReason", ""))
        return replace(status, reason=reason, cause=REMOVALS.get(reason, EndCause.CANCELLED))
    if ad.get("ExitBySignal"):
        return replace(status, cause=EndCause.FAILED, signal=ad.get("ExitSignal"))
    code = ad.get("ExitCode")
    return replace(status, cause=EndCause.FAILED if code else EndCause.COMPLETED, exit_code=code)


def parse_ids(text: str) -> Sequence[JobId]:
    """Return the ids of jobs in the order in which condor_q lists them; it may write nothing for none."""
    return list(parse_ads(text)) if text.strip() else []


HTCONDOR: Final = BatchSystem(
    title="HTCondor",
    render=render,
    submit=lambda spec: ("condor_submit", "-terse"),
    parse_submit=parse_submit,
    queries=(
        Query(argv=lambda jobs: ("condor_q", *jobs, "-json", "-attributes", ATTRIBUTES), parse=parse_ads),
        Query(
            argv=lambda jobs: ("condor_history", *jobs, "-json", "-attributes", ATTRIBUTES), parse=parse_ads
        ),
    ),
    find=Find(
        argv=lambda name: (
            "condor_q",
            "-constraint",
            f'JobBatchName == "{name}"',
            "-json",
            "-attributes",
            ATTRIBUTES,
        ),
        parse=lambda text, _: parse_ids(text),
    ),
    cancel=("condor_rm",),
    gone=re.compile(r"not found|already|marked for removal", re.IGNORECASE),
)
