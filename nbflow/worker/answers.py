"""Own what is reported of calls that did not end by themselves: every call gets its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from nbflow.core.events import TryFailed
from nbflow.core.states import Cause
from nbflow.errors import TaskError
from nbflow.wire.messages import Call
from nbflow.worker.call import timed_out
from nbflow.worker.child import Remains
from nbflow.worker.losses import OUT_OF_MEMORY, closed, lost, recalled
from nbflow.worker.process import Ending, WorkerProcess

__all__ = ["answers_for", "failures"]


def failures(
    calls: Iterable[Call], cause: Cause, error: Callable[[Call], TaskError], *, alone: bool = True
) -> Iterator[TryFailed]:
    """Give a failure of each call, with an error of its own."""
    return (TryFailed(call.task, call.try_id, cause, error(call), alone) for call in calls)


def answers_for(worker: WorkerProcess, reason: str, remains: Remains) -> Iterator[TryFailed]:
    """Give what became of the calls of a worker that has ended."""
    wanted = [call for key, call in worker.hand.items() if key not in worker.dropped]
    match worker.ending:
        case Ending.CLOSED:
            yield from failures([*wanted, *worker.backlog], Cause.LOST, closed)
            return
        case Ending.TIMEOUT:
            yield from failures(
                wanted,
                Cause.TIMEOUT,
                lambda call: timed_out(call.directive, call.task, f"in {worker.child.place}"),
            )
        case Ending.DROPPED:
            yield from failures(wanted, Cause.RECALLED, recalled)
        case _:
            cause = Cause.OOM if reason == OUT_OF_MEMORY else Cause.LOST
            others = len(worker.hand) - 1 + remains.others
            for call in wanted:
                error = lost(call, worker.child.place, reason, others=others, log=remains.log)
                yield TryFailed(call.task, call.try_id, cause, error, alone=not others)
    yield from failures(worker.backlog, Cause.RECALLED, recalled)
