"""Own the watch over futures among a task's arguments that no dataflow kernel of ours settles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, final

from nbflow.core.events import DepDone, DepFailed, Event
from nbflow.core.task import Failure, Task
from nbflow.flow.futures.inputs import Invocation

__all__ = ["Told", "watch"]


@final
@dataclass(slots=True)
class Told:
    """What a future of others came to, and for which watch over it."""

    call: Invocation
    watch: object
    event: Event

    @property
    def is_heard(self) -> bool:
        """Tell whether the arguments are still those that were watched."""
        return self.call.watch is self.watch


def watch(task: Task, futures: Iterable[Future[Any]], post: Callable[[Told], object]) -> None:
    """Post what becomes of the futures; those watched before for the same task are no longer heard."""
    call = task.call
    call.watch = mark = object()

    def tell(future: Future[Any]) -> None:
        if future.cancelled():
            event: Event = DepFailed(task.id, Failure(None, None, task.id), is_foreign=True)
        elif (error := future.exception()) is not None:
            event = DepFailed(task.id, Failure(None, error, task.id), is_foreign=True)
        else:
            event = DepDone(task.id, is_foreign=True)
        post(Told(call, mark, event))

    for future in futures:
        future.add_done_callback(tell)
