"""Own the end of a dataflow kernel's parts: each ends, whatever another raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack

from nbflow.executors.protocol import Durable, Executor, Exit
from nbflow.flow.capsules import Capsules
from nbflow.flow.loop import FlowLoop
from nbflow.flow.usercode import UserCode
from nbflow.journal.writer import Journal

__all__ = ["close_all", "leave_all"]

CLOSE_SECONDS = 5.0


def close_all(
    cancel: Callable[[], int],
    companions: Iterable[Callable[[], object]],
    executors: Iterable[Executor],
    loop: FlowLoop,
    capsules: Capsules,
    usercode: UserCode,
    journal: Journal,
) -> int:
    """Cancel what is unfinished, and end processes, threads and journal; return what `cancel` did."""
    with ExitStack() as endings:
        endings.callback(journal.close, "finished")
        endings.callback(usercode.close, CLOSE_SECONDS)
        endings.callback(capsules.close)
        endings.callback(loop.memory.close)
        endings.callback(loop.keeper.close)
        endings.callback(loop.close)
        for executor in executors:
            endings.callback(executor.close, Exit.STOP)
        for close in companions:
            endings.callback(close)
        return cancel()


def leave_all(
    companions: Iterable[Callable[[], object]],
    executors: Iterable[Executor],
    loop: FlowLoop,
    capsules: Capsules,
    journal: Journal,
) -> None:
    """End what is in this process only; tasks stay as they are in the journal."""
    with ExitStack() as endings:
        endings.callback(journal.close, "left")
        endings.callback(capsules.close)
        endings.callback(loop.memory.close)
        endings.callback(loop.keeper.close)
        for executor in executors:
            if isinstance(executor, Durable):
                endings.callback(executor.leave)
            else:
                endings.callback(executor.close, Exit.STOP)
        endings.callback(loop.leave)
        for close in companions:
            endings.callback(close)
