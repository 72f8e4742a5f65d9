"""Own how PBS is talked to: qsub, qstat, qselect, qdel (OpenPBS and PBS Professional)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus
from nbflow.providers.script import clock, job_script, mebibytes
from nbflow.providers.system import UTC, BatchSystem, Find, Query, Reports, Unreadable, epoch_seconds, meaning

__all__ = ["PBS"]

WORDS: Final[Mapping[str, JobState]] = {
    "Q": JobState.PENDING,
    "H": JobState.PENDING,
    "T": JobState.PENDING,
    "W": JobState.PENDING,
    "B": JobState.ACTIVE,
    "E": JobState.ACTIVE,
    "R": JobState.ACTIVE,
    "S": JobState.ACTIVE,
    "U": JobState.ACTIVE,
    "F": JobState.ENDED,
    "X": JobState.ENDED,
}

TERMINATED: Final = "91"
"""The substate of a job that qdel ended."""

ENDS: Final[Mapping[int, EndCause]] = {
    -4: EndCause.NODE_FAIL,
    -5: EndCause.NODE_FAIL,
    -6: EndCause.NODE_FAIL,
    -26: EndCause.OUT_OF_MEMORY,
    -27: EndCause.OUT_OF_MEMORY,
    -29: EndCause.TIMEOUT,
}
"""JOB_EXEC_INITABT, INITRST, INITRMG (its daemon was restarted); KILL_VMEM, KILL_MEM, KILL_WALLTIME."""

DATE: Final = "%a %b %d %H:%M:%S %Y"

SIGNALLED: Final = 256
"""An exit status of this and more is a signal and this."""


def _options(spec: JobSpec) -> Iterator[str]:
    yield "-S /bin/bash"
    yield f"-N {spec.name}"
    yield f"-o {spec.stdout}"
    yield f"-e {spec.stderr}" if spec.stderr else "-j oe"
    yield "-r n"
    cores = max(spec.cores_per_node or 1, spec.processes_per_node)
    chunk = [f"{spec.nodes}:ncpus={cores}:mpiprocs={spec.processes_per_node}"]
    if spec.memory_nbytes:
        chunk.append(f"mem={mebibytes(spec.memory_nbytes)}mb")
    if spec.gpus_per_node:
        chunk.append(f"ngpus={spec.gpus_per_node}")
    yield f"-l select={':'.join(chunk)}"
    if spec.walltime_seconds:
        yield f"-l walltime={clock(spec.walltime_seconds)}"
    if queue := spec.reservation or spec.partition:  # a reservation of PBS is a queue
        yield f"-q {queue}"
    if spec.account:
        yield f"-A {spec.account}"


def render(spec: JobSpec) -> str:
    """Return the script that qsub takes."""
    return job_script(spec, mark="#PBS", options=_options(spec))


def parse_submit(text: str) -> JobId | None:
    """Return the id from qsub, the last line that it writes: `1234.server`."""
    ids = parse_ids(text)
    return ids[-1] if ids else None


def parse_ids(text: str) -> Sequence[JobId]:
    """Return the ids in a list of them, one a line."""
    return [JobId(found) for found in re.findall(r"^(\d+\.\S+)\s*$", text, re.MULTILINE)]


def parse_qstat(text: str) -> Reports:
    """Return what `qstat -x -f` says.

    Its text, not its JSON: that is not valid JSON for every job (a variable's quotes are not escaped).
    """
    # An empty line ends what is said of a job: without it, the exit status may be missing.
    blocks = re.findall(r"^Job Id: (.+?)\n\n", text, flags=re.MULTILINE | re.DOTALL)
    if not blocks:
        raise Unreadable(f"this is no answer of qstat: {text[:200]!r}")
    return dict(map(_report, blocks))


def _report(block: str) -> tuple[JobId, JobStatus]:
    unfolded = re.sub(r"\n\t", "", block)
    job, *lines = unfolded.splitlines()
    pairs = (line.partition(" = ") for line in lines)
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    word = fields.get("job_state", "")
    state, _ = meaning(WORDS, word)
    has_ended = state is JobState.ENDED
    exit_code, signal, cause = _end(fields) if has_ended else (None, None, None)
    hosts = re.findall(r"(?:^|\+)\(?([^/:+(]+)", fields.get("exec_host", ""))
    return JobId(job.strip()), JobStatus(
        state=state,
        cause=cause,
        word=word,
        reason=fields.get("comment", ""),
        exit_code=exit_code,
        signal=signal,
        nodes=tuple(dict.fromkeys(hosts)),
        started_at=epoch_seconds(fields.get("stime", ""), DATE),
        ended_at=epoch_seconds(fields.get("obittime", ""), DATE) if has_ended else None,
    )


def _end(fields: Mapping[str, str]) -> tuple[int | None, int | None, EndCause]:
    """Return exit code, signal and cause of a job that ended."""
    text = fields.get("Exit_status", "")
    status = int(text) if re.fullmatch(r"-?\d+", text) else None
    signal = status - SIGNALLED if status is not None and status >= SIGNALLED else None
    exit_code = status if status is not None and 0 <= status < SIGNALLED else None
    if status is not None and status < 0:
        return None, None, ENDS.get(status, EndCause.FAILED)
    if fields.get("substate") == TERMINATED or status is None:  # deleted; if it never ran, without a status
        return exit_code, signal, EndCause.CANCELLED
    return exit_code, signal, EndCause.FAILED if status else EndCause.COMPLETED


UNKNOWN: Final = re.compile(r"Unknown Job Id|Job has finished", re.IGNORECASE)

PBS: Final = BatchSystem(
    title="PBS",
    render=render,
    submit=lambda spec: ("qsub",),
    parse_submit=parse_submit,
    queries=(Query(argv=lambda jobs: (*UTC, "qstat", "-x", "-f", *jobs), parse=parse_qstat, none=UNKNOWN),),
    find=Find(argv=lambda name: ("qselect", "-x", "-N", name), parse=lambda text, _: parse_ids(text)),
    cancel=("qdel",),
    gone=UNKNOWN,
)
