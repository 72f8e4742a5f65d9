"""Own how Slurm is talked to: sbatch, squeue, sacct, scancel (https://slurm.schedmd.com)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.launchers import cores_per_process
from nbflow.providers.script import clock, job_script, mebibytes
from nbflow.providers.system import BatchSystem, Find, Query, Reports, Unreadable, meaning, whole_lines

__all__ = ["SLURM"]

WORDS: Final[Mapping[str, JobState | EndCause]] = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.PENDING,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.PENDING,
    "RESV_DEL_HOLD": JobState.PENDING,
    "SPECIAL_EXIT": JobState.PENDING,
    "RUNNING": JobState.ACTIVE,
    "COMPLETING": JobState.ACTIVE,
    "RESIZING": JobState.ACTIVE,
    "SIGNALING": JobState.ACTIVE,
    "STAGE_OUT": JobState.ACTIVE,
    "STOPPED": JobState.ACTIVE,
    "SUSPENDED": JobState.ACTIVE,
    "COMPLETED": EndCause.COMPLETED,
    "FAILED": EndCause.FAILED,
    "LAUNCH_FAILED": EndCause.FAILED,
    "RECONFIG_FAIL": EndCause.FAILED,
    "CANCELLED": EndCause.CANCELLED,
    "REVOKED": EndCause.CANCELLED,
    "TIMEOUT": EndCause.TIMEOUT,
    "DEADLINE": EndCause.TIMEOUT,
    "NODE_FAIL": EndCause.NODE_FAIL,
    "BOOT_FAIL": EndCause.NODE_FAIL,
    "OUT_OF_MEMORY": EndCause.OUT_OF_MEMORY,
    "PREEMPTED": EndCause.PREEMPTED,
}

EPOCH: Final = ("env", "SLURM_TIME_FORMAT=%s")
"""Times in seconds since the epoch: nobody has to know the cluster's time zone."""

SQUEUE: Final = (
    *EPOCH,
    "squeue",
    "--states=all",
    "--Format="
    + ",".join(
        f"{field}:|"
        for field in ("JobID", "State", "Reason", "NodeList", "StartTime", "EndTime", "exit_code")
    ),
)
SACCT_FIELDS: Final = "--format=JobID,State,Reason,NodeList,Start,End,ExitCode"


def _options(spec: JobSpec) -> Iterator[str]:
    yield f"--job-name={spec.name}"
    yield f"--output={spec.stdout}"
    if spec.stderr:
        yield f"--error={spec.stderr}"
    # Nothing of the submitter's environment, a token least of all, gets to a node.
    yield "--export=NONE"
    yield "--no-requeue"
    yield f"--nodes={spec.nodes}"
    yield f"--ntasks-per-node={spec.processes_per_node}"
    if cores := cores_per_process(spec):
        yield f"--cpus-per-task={cores}"
    if spec.memory_nbytes:
        yield f"--mem={mebibytes(spec.memory_nbytes)}M"
    if spec.gpus_per_node:
        yield f"--gpus-per-node={spec.gpus_per_node}"
    if spec.walltime_seconds:
        yield f"--time={clock(spec.walltime_seconds)}"
    for option in ("partition", "account", "reservation"):
        if value := getattr(spec, option):
            yield f"--{option}={value}"


def render(spec: JobSpec) -> str:
    """Return the script that sbatch takes."""
    return job_script(spec, mark="#SBATCH", options=_options(spec))


def parse_submit(text: str) -> JobId | None:
    """Return the id from `sbatch --parsable`, which adds `;cluster` where there are several."""
    found = re.fullmatch(r"(\d+)(;\S+)?", text.strip())
    return JobId(found[1]) if found else None


def parse_table(text: str) -> Reports:
    """Return what a table of squeue or sacct says; its header shows that it is one."""
    lines = iter(whole_lines(text))
    if not any(line.upper().startswith("JOBID|") for line in lines):
        raise Unreadable(f"this is no table of Slurm: {text[:200]!r}")
    return dict(_report(line.split("|")) for line in lines if line.count("|") >= 6)


def _report(fields: Sequence[str]) -> tuple[JobId, JobStatus]:
    job, word, reason, nodes, started, ended, code = fields[:7]
    state, cause = meaning(WORDS, word.split(" ")[0])  # `CANCELLED by 1000`
    has_ended = state is JobState.ENDED
    exit_code, signal = _exit(code) if has_ended else (None, None)
    return JobId(job), JobStatus(
        state=state,
        cause=cause,
        word=word,
        reason="" if reason == "None" else reason,
        exit_code=exit_code if exit_code or cause is EndCause.COMPLETED else None,
        signal=signal,
        nodes=expand_nodes(nodes),
        expected_at=_time(started) if state is JobState.PENDING else None,
        started_at=_time(started) if state >= JobState.ACTIVE else None,
        ended_at=_time(ended) if has_ended else None,
    )


def _exit(code: str) -> tuple[int | None, int | None]:
    """Return exit code and signal: sacct writes `code:signal`, squeue what wait(2) returns."""
    if found := re.fullmatch(r"(\d+):(\d+)", code):
        exit_code, signal = int(found[1]), int(found[2])
    elif code.isdecimal():
        exit_code, signal = int(code) >> 8, int(code) & 127
    else:
        return None, None
    return (None, signal) if signal else (exit_code, None)


def _time(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


def expand_nodes(text: str) -> tuple[str, ...]:
    """Return the names in a list of nodes: `n[01-03,7],login` is n01 n02 n03 n7 login."""
    names: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        stem, _, rest = part.partition("[")
        ranges, _, tail = rest.partition("]")
        for one in ranges.split(","):
            first, _, last = one.partition("-")
            numbers = range(int(first), int(last) + 1) if last.isdecimal() and first.isdecimal() else [first]
            names += (f"{stem}{str(number).zfill(len(first))}{tail}" for number in numbers)
    return tuple(name for name in names if name not in ("", "(null)", "N/A", "None assigned"))


SLURM: Final = BatchSystem(
    title="Slurm",
    render=render,
    submit=lambda spec: ("sbatch", "--parsable"),
    parse_submit=parse_submit,
    queries=(
        Query(
            argv=lambda jobs: (*SQUEUE, f"--jobs={','.join(jobs)}"),
            parse=parse_table,
            none=re.compile("Invalid job id specified"),
        ),
        Query(
            argv=lambda jobs: (*EPOCH, "sacct", "-X", "-P", f"--jobs={','.join(jobs)}", SACCT_FIELDS),
            parse=parse_table,
            none=re.compile("accounting storage is disabled|not found"),
        ),
        Query(
            argv=lambda jobs: (
                *EPOCH,
                "sacct",
                "--completion",
                "-P",
                f"--jobs={','.join(jobs)}",
                SACCT_FIELDS,
            ),
            parse=parse_table,
            none=re.compile("completion|accounting storage|not found", re.IGNORECASE),
        ),
    ),
    find=Find(argv=lambda name: (*SQUEUE, f"--name={name}"), parse=lambda text, _: list(parse_table(text))),
    cancel=("scancel",),
    gone=re.compile("Invalid job id|already completing or completed"),
)
