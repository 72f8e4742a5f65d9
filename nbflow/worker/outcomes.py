"""Own what is reported of a call that has ended by itself."""

from __future__ import annotations

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.errors import AppTimeout, RemoteTraceback, TaskError
from nbflow.wire.bundles import WrittenSoFar
from nbflow.wire.capsule import Testimony
from nbflow.wire.failures import traceback_text
from nbflow.wire.messages import Call
from nbflow.wire.outcome import Outcome, Usage
from nbflow.worker.call import title
from nbflow.worker.capture import Written
from nbflow.worker.happenings import Happening, Printed, Used

__all__ = ["failed_by", "happenings_of", "printed_so_far", "reported"]


def happenings_of(
    call: Call,
    value: object,
    error: BaseException | None,
    seconds: float,
    written: Written | None,
    testimony: Testimony | None = None,
    usage: Usage | None = None,
) -> list[Happening]:
    """Return what a call printed and used, and then what came of it; `testimony` may go with an error."""
    task, try_id = call.task, call.try_id
    end = (
        Returned(task, try_id, value, seconds)
        if error is None
        else failed_by(call, error, seconds, testimony)
    )
    used = [] if usage is None else [Used(task, try_id, *usage)]
    if written is None or not (written[0][1] or written[1][1]):
        return [*used, end]
    streams = zip(("stdout", "stderr"), written, strict=True)
    printed = [Printed(task, try_id, stream, text, nbytes) for stream, (text, nbytes) in streams if nbytes]
    return [*printed, *used, end]


def printed_so_far(report: WrittenSoFar) -> list[Happening]:
    """Return what a call that still runs has printed."""
    streams = ("stdout", *report.stdout), ("stderr", *report.stderr)
    return [Printed(report.task, report.try_id, *told) for told in streams if told[2]]


def reported(call: Call, outcome: Outcome) -> list[Happening]:
    """Return what a call printed, and then what came of it, as its worker reports."""
    written = outcome.stdout, outcome.stderr
    seconds, usage = outcome.seconds, outcome.usage
    return happenings_of(call, outcome.value, outcome.error, seconds, written, outcome.testimony, usage)


def failed_by(
    call: Call, error: BaseException, seconds: float = 0.0, testimony: Testimony | None = None
) -> TryFailed:
    """Return the failure of a call by an error of its own; an error of nbflow's is told its task."""
    if isinstance(error, TaskError) and not error.task:
        error.task = call.task
        name = title(call.directive, call.task)
        if error.args and name not in str(error):
            error.args = (f"{name}: {error.args[0]}", *error.args[1:])
    cause = Cause.TIMEOUT if type(error) is AppTimeout else Cause.RAISED
    text, evidence = testimony or (None, None)
    if error.__traceback__ is None and isinstance(error.__cause__, RemoteTraceback):
        text = None  # it came from elsewhere, and carries its traceback as text already
    elif text is None:
        text = traceback_text(error)
    return TryFailed(call.task, call.try_id, cause, error, seconds=seconds, traceback=text, evidence=evidence)
