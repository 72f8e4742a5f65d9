"""Own how IBM Spectrum LSF is talked to: bsub, bjobs, bkill (version 10.1 and later)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.script import job_script, mebibytes
from nbflow.providers.system import BatchSystem, Find, Query, Reports, Unreadable, meaning, signal_of

__all__ = ["LSF"]

WORDS: Final[Mapping[str, JobState | EndCause]] = {
    "PEND": JobState.PENDING,
    "PROV": JobState.PENDING,
    "PSUSP": JobState.PENDING,
    "WAIT": JobState.PENDING,
    "RUN": JobState.ACTIVE,
    "USUSP": JobState.ACTIVE,
    "SSUSP": JobState.ACTIVE,
    "UNKWN": JobState.ACTIVE,  # the host is not heard of: not an end
    "DONE": EndCause.COMPLETED,
    "EXIT": EndCause.FAILED,
    "ZOMBI": EndCause.NODE_FAIL,
}

REASONS: Final[Mapping[str, EndCause]] = {
    "TERM_ADMIN": EndCause.CANCELLED,
    "TERM_BUCKET_KILL": EndCause.CANCELLED,
    "TERM_CPULIMIT": EndCause.TIMEOUT,
    "TERM_DEADLINE": EndCause.TIMEOUT,
    "TERM_FORCE_ADMIN": EndCause.CANCELLED,
    "TERM_FORCE_OWNER": EndCause.CANCELLED,
    "TERM_MEMLIMIT": EndCause.OUT_OF_MEMORY,
    "TERM_OWNER": EndCause.CANCELLED,
    "TERM_PREEMPT": EndCause.PREEMPTED,
    "TERM_RUNLIMIT": EndCause.TIMEOUT,
    "TERM_SWAP": EndCause.OUT_OF_MEMORY,
    "TERM_ZOMBIE": EndCause.NODE_FAIL,
}

FIELDS: Final = "jobid stat exit_code exit_reason pend_reason exec_host"
NONE: Final = re.compile(r"is not found|No .*job found")
BJOBS: Final = ("bjobs", "-a", "-json", "-o", FIELDS)


def _options(spec: JobSpec) -> Iterator[str]:
    cores = max(spec.cores_per_node or 1, spec.processes_per_node)
    yield f"-J {spec.name}"
    yield f"-o {spec.stdout}"
    if spec.stderr:
        yield f"-e {spec.stderr}"
    # Nothing of the submitter's environment, a token least of all, gets to a node.
    yield "-env none"
    yield "-L /bin/bash"
    yield "-rn"
    yield f"-n {spec.nodes * cores}"
    yield f'-R "span[ptile={cores}]"'
    if spec.memory_nbytes:
        yield f'-R "rusage[mem={mebibytes(spec.memory_nbytes)}MB/host]"'
    if spec.gpus_per_node:
        yield f'-gpu "num={spec.gpus_per_node}/host"'
    if spec.walltime_seconds:
        minutes = -(-spec.walltime_seconds // 60)
        yield f"-W {minutes // 60}:{minutes % 60:02d}"
    for letter, value in (("-q", spec.partition), ("-P", spec.account), ("-U", spec.reservation)):
        if value:
            yield f"{letter} {value}"


def render(spec: JobSpec) -> str:
    """Return the script that bsub reads; the account is a project."""
    return job_script(spec, mark="#BSUB", options=_options(spec))


def parse_submit(text: str) -> JobId | None:
    """Return the id from `Job <771278> is submitted to default queue <short>.`."""
    found = re.search(r"^Job <(\d+)> is submitted", text, re.MULTILINE)
    return JobId(found[1]) if found else None


def _records(text: str) -> list[Mapping[str, Any]]:
    """Return the records of bjobs; notices (`Cannot connect to LSF. Please wait ...`) come before them."""
    try:
        records: list[Mapping[str, Any]] = json.loads(text[text.index("{") :], strict=False)["RECORDS"]
        return [record for record in records if "ERROR" not in record]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"this is no answer of bjobs: {text[:200]!r}") from error


def parse_bjobs(text: str) -> Reports:
    """Return what `bjobs -json` says. It has no times: they come without a year."""
    try:
        return {JobId(record["JOBID"]): _status(record) for record in _records(text)}
    except KeyError as error:
        raise Unreadable(f"bjobs left out {error}: {text[:200]!r}") from error


def parse_ids(text: str) -> Sequence[JobId]:
    """Return the ids of jobs in the order in which bjobs lists them."""
    return list(parse_bjobs(text))


def _status(record: Mapping[str, str]) -> JobStatus:
    word, why = record["STAT"], record["EXIT_REASON"]
    state, cause = meaning(WORDS, word)
    code = record["EXIT_CODE"]
    exit_code = int(code) if code.isdecimal() else None
    if cause is EndCause.FAILED:
        cause = REASONS.get(why.partition(":")[0], cause)
    elif cause is EndCause.COMPLETED:
        exit_code = 0
    signal = signal_of(exit_code) if exit_code else None
    hosts = (host.rpartition("*")[2] for host in record["EXEC_HOST"].split(":"))  # `16*node1:16*node2`
    return JobStatus(
        state=state,
        cause=cause,
        word=word,
        reason=why or record["PEND_REASON"].strip(),
        exit_code=None if signal or state is not JobState.ENDED else exit_code,
        signal=signal,
        nodes=tuple(dict.fromkeys(host for host in hosts if host)),
    )


LSF: Final = BatchSystem(
    title="LSF",
    render=render,
    submit=lambda spec: ("bsub",),
    parse_submit=parse_submit,
    queries=(Query(argv=lambda jobs: (*BJOBS, *jobs), parse=parse_bjobs, none=NONE),),
    find=Find(argv=lambda name: (*BJOBS, "-J", name), parse=lambda text, _: parse_ids(text), none=NONE),
    cancel=("bkill",),
    gone=re.compile(r"already finished|No matching job found|is being terminated", re.IGNORECASE),
)
