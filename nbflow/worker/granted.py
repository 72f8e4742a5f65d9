"""Own what a call has for itself: cores, to which it is bound, GPUs, which are all that it sees, memory."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TextIO, TypeVar

from nbflow.core.task import Grant

__all__ = ["granted"]

Result = TypeVar("Result")

GPUS: Final = "CUDA_VISIBLE_DEVICES"
THREADS: Final = "OMP_NUM_THREADS"
LAUNCH: Final = "NBFLOW_LAUNCH"
"""The words, quoted for a shell, that start a command on all that a call has."""


def granted(grant: Grant, run: Callable[[], Result], log: TextIO = sys.stderr) -> Result:
    """Run something with what was granted to it, and to what it starts; afterwards all is as before.

    Cores bind the calling thread, and threads and processes that it starts meanwhile; where the system cannot
    bind (macOS) they are only counted. A call that holds more memory than it was granted ends this process,
    with a word in the log.
    """
    changes = {}
    if grant.gpus:
        changes[GPUS] = _gpus(grant.gpus)
    if grant.cores:
        changes[THREADS] = str(len(grant.cores))
    if grant.launch:
        changes[LAUNCH] = shlex.join(grant.launch)
    before = {name: os.environ.get(name) for name in changes}
    cores = _bind(grant.cores)
    os.environ.update(changes)
    try:
        with _bounded(grant.memory, log):
            return run()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if cores:
            os.sched_setaffinity(0, cores)


def _bounded(nbytes: int, log: TextIO) -> AbstractContextManager[None]:
    if not nbytes:
        return nullcontext()
    from nbflow.worker.memory import bounded  # it needs psutil: 30 ms that few calls have to pay

    return bounded(nbytes, log)


def _gpus(chosen: Sequence[int]) -> str:
    """Return the names of the chosen ones of the GPUs that the job sees."""
    visible = [name for name in os.environ.get(GPUS, "").split(",") if name]
    return ",".join(visible[number] if number < len(visible) else str(number) for number in chosen)


def _bind(chosen: Sequence[int]) -> set[int]:
    """Bind to the chosen ones of this thread's cores; return those that it had, empty when nothing changed.

    A job may have fewer than it was said to have: then all of them serve.
    """
    try:
        had = os.sched_getaffinity(0)
    except AttributeError:  # not Linux
        return set()
    cores = sorted(had)
    wanted = {cores[number] for number in chosen if number < len(cores)}
    if len(wanted) < len(chosen) or not wanted:
        return set()
    os.sched_setaffinity(0, wanted)
    return had
