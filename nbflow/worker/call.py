"""Own the running of one call as its directive says, and the errors that say what became of it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import Any, Final

from nbflow.core.ids import TaskId
from nbflow.errors import (
    AppExited,
    AppTimeout,
    AppTypeError,
    BashExitFailure,
    MissingOutputs,
    RemoteError,
    TaskError,
)
from nbflow.wire.blame import message_of
from nbflow.wire.messages import Directive, Kind
from nbflow.worker.bash import Command
from nbflow.worker.capture import Output

__all__ = ["attempt", "seconds_allowed", "settled", "timed_out", "title", "where"]

STDERR_CHARACTERS = 2_000
BASH_GRACE_SECONDS = 2.0
LINE_NBYTES = 1 << 17
"""What Linux takes in one argument (MAX_ARG_STRLEN)."""

Watch = Callable[[Command], None]
"""Is shown a command before it starts, so that somebody else can stop it."""


def attempt(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    directive: Directive,
    output: Output,
    *,
    task: TaskId,
    watch: Watch | None = None,
    launch: Sequence[str] = (),
) -> tuple[Any, BaseException | None, float]:
    """Run one call; return its value, or None and the error; and the seconds that it took. Never raises.

    `launch` are the words of a launcher that come before the command of a bash app.

    The list of what a generator or a view of a dict yields stands for it; coroutines are run to their end.
    """
    start = time.perf_counter()
    try:
        if directive.kind is Kind.BASH or directive.stdout or directive.stderr or directive.outputs:
            value = _directed(fn, args, kwargs, directive, output, task, watch, launch)
        else:
            value = fn(*args, **kwargs)
            settle = SETTLE.get(type(value))
            if settle is not None:
                value = settle(value)
    except BaseException as error:  # noqa: BLE001 - it becomes the call's outcome
        return None, _outcome(error, directive, task), time.perf_counter() - start
    return value, None, time.perf_counter() - start


def seconds_allowed(directive: Directive) -> float | None:
    """Return after how many seconds somebody else has to end a call; None for never.

    The command of a bash app is stopped where it runs, at its walltime; this is for when that does not help.
    """
    if directive.walltime is None or directive.kind is not Kind.BASH:
        return directive.walltime
    return directive.walltime + BASH_GRACE_SECONDS


def title(directive: Directive, task: TaskId) -> str:
    """Return how a task is called in messages."""
    return f"{directive.label or directive.app or 'call'} (task {task})"


def where() -> str:
    """Return the place of this process, for messages."""
    return f"in process {os.getpid()} on {os.uname().nodename}"


def timed_out(directive: Directive, task: TaskId, place: str) -> AppTimeout:
    """Return the error of a call whose walltime ended; `place` says where it ran."""
    return AppTimeout(
        f"{title(directive, task)} was stopped {place}: its walltime of {directive.walltime:g} s ended. "
        "If it needs longer, give it more with `walltime=`.",
        task=task,
    )


def _directed(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    directive: Directive,
    output: Output,
    task: TaskId,
    watch: Watch | None,
    launch: Sequence[str],
) -> Any:
    for path in directive.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    if directive.kind is Kind.BASH:
        value = settled(fn(*args, **kwargs))
        if not isinstance(value, str):
            raise AppTypeError(
                f"{title(directive, task)} is a bash app and returned {type(value).__name__}: "
                "it has to return the command line, a str"
            )
        _check_line(value, directive, task)
        value = _command(value, directive, output, task, watch, launch)
    else:
        with output.redirected(directive.stdout, directive.stderr):
            value = settled(fn(*args, **kwargs))
    missing = tuple(path for path in directive.outputs if not Path(path).exists())
    if missing:
        raise MissingOutputs(
            f"{title(directive, task)} ended {where()} without what it promised in `outputs`: "
            f"{', '.join(missing)}. "
            f"Relative paths are seen from {Path.cwd()}.",
            paths=missing,
            task=task,
        )
    return value


def _command(
    line: str,
    directive: Directive,
    output: Output,
    task: TaskId,
    watch: Watch | None,
    launch: Sequence[str],
) -> int:
    command = Command(line, directive, launch)
    if watch is not None:
        watch(command)
    try:
        code = command.run(output.stdout, output.stderr)
    except TimeoutError:
        raise timed_out(directive, task, where()) from None
    if code:
        said = _end_of_stderr(directive, output)
        raise BashExitFailure(
            f"{title(directive, task)} ended {where()} with exit code {code}: {_first_line(line)}"
            + (f"\nThe end of its stderr:\n{said}" if said else "\nIt wrote nothing to stderr."),
            exit_code=code,
            task=task,
        )
    return 0


def _check_line(line: str, directive: Directive, task: TaskId) -> None:
    """Refuse a command line that the system does not take."""
    if "\0" in line:
        raise AppTypeError(
            f"{title(directive, task)} returned a command line with a NUL character in it, at "
            f"{line.index(chr(0))}: no program can be given one. Leave it out, or write it to a file."
        )
    nbytes = len(line.encode(errors="replace"))
    if nbytes >= LINE_NBYTES:
        raise AppTypeError(
            f"{title(directive, task)} returned a command line of {nbytes:,} bytes: the system takes less "
            f"than {LINE_NBYTES:,}. Write it to a file, and return `bash` with its path."
        )


def _first_line(line: str) -> str:
    first, _, rest = line.strip().partition("\n")
    return first[:200] + (" ..." if rest or len(first) > 200 else "")


def _end_of_stderr(directive: Directive, output: Output) -> str:
    if directive.stderr is None:
        return output.stderr.text()[-STDERR_CHARACTERS:].strip()
    with Path(directive.stderr.path).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - STDERR_CHARACTERS))
        return file.read().decode(errors="replace").strip()


def settled(value: Any) -> Any:
    """Return the result that is meant: the list of what a generator yields, what a coroutine comes to."""
    settle = SETTLE.get(type(value))
    return value if settle is None else settle(value)


def _run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # only here: it would be a third of a worker's start

    return asyncio.run(coroutine)


async def _collect(values: AsyncGenerator[Any, None]) -> list[Any]:
    return [value async for value in values]


SETTLE: Final[dict[type, Callable[[Any], Any]]] = {
    **dict.fromkeys((GeneratorType, map, filter, zip), list),
    **dict.fromkeys(map(type, ({}.keys(), {}.values(), {}.items())), list),
    CoroutineType: _run_coroutine,
    AsyncGeneratorType: lambda values: _run_coroutine(_collect(values)),
}
"""What is made of a result that is still to be computed, or is only a look at something.

By exact type: this is asked for every call.
"""


def _outcome(raised: BaseException, directive: Directive, task: TaskId) -> Exception:
    """Return the error that stands for what a call raised: itself, unless it cannot travel."""
    try:
        return _told(raised, task) if isinstance(raised, Exception) else _exited(raised, directive, task)
    except BaseException as broken:  # noqa: BLE001 - its own code raised as it was looked at, and would again
        name = type(raised).__name__
        return RemoteError(
            f"{title(directive, task)} raised {name} {where()}, and looking at that exception raises "
            f"{type(broken).__name__}. Give {name} attributes that can be read.",
            type_name=name,
            task=task,
        )


def _exited(raised: BaseException, directive: Directive, task: TaskId) -> AppExited:
    error = AppExited(
        f"{title(directive, task)} tried to end its worker {where()}: it raised "
        f"{type(raised).__name__}({message_of(raised)[:300]}). "
        "Return a value or raise an Exception instead.",
        task=task,
    )
    error.__cause__ = raised.with_traceback(_user_frames(raised.__traceback__))
    return error


def _told(error: Exception, task: TaskId) -> Exception:
    """Return the error with the frames of nbflow left out and, when it is one of nbflow's, its task named."""
    if isinstance(error, TaskError) and not error.task:
        error.task = task
    return error.with_traceback(_user_frames(error.__traceback__))


def _user_frames(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_globals.get("__name__", "").startswith(
        "nbflow.worker."
    ):
        traceback = traceback.tb_next
    return traceback
