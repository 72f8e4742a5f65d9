"""Own the words for what keeps a task that could go on: no free slot, its user, a failure that holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from nbflow.core.ids import ExecutorId
from nbflow.core.placement import Placement
from nbflow.core.states import State
from nbflow.core.task import Task
from nbflow.executors.protocol import Executor
from nbflow.executors.views import HasBlocks

__all__ = ["explain_standstill", "explain_waiting"]


def explain_waiting(placement: Placement, executors: Iterable[Executor], task: Task) -> str | None:
    """Return what keeps a task that is queued, paused or held; None for any other."""
    match task.state:
        case State.QUEUED:
            told = placement.explain(task), *_awaited(executors, placement.places(task))
            return f"task {task.id} is queued: {'; '.join(told)}"
        case State.PAUSED:
            return f"task {task.id} is paused; nbflow.resume() lets it go on"
        case State.HELD:
            root = task.failure.root if task.failure is not None else task.id
            return (
                f"task {task.id} is held: task {root} failed. Once that is retried it goes on; "
                "nbflow.release() gives it up"
            )
        case _:
            return None


def explain_standstill(tasks: Iterable[Task]) -> str | None:
    """Return why nothing goes on before a person decides; None as long as anything does."""
    counts = Counter(task.state for task in tasks if not task.state.is_final)
    held, paused = counts[State.HELD], counts[State.PAUSED]
    if not held + paused or counts.keys() - {State.HELD, State.PAUSED, State.WAITING}:
        return None
    return (
        f"nothing goes on: {held} held, {paused} paused. Retry what failed, or give up with "
        "nbflow.release(); nbflow.resume() lets go on what is paused. A terminal can do it too: nbflow --help"
    )


def _awaited(executors: Iterable[Executor], places: Collection[ExecutorId]) -> Iterator[str]:
    """Yield how the blocks stand that such a task waits for, and what is wrong with their sites."""
    for executor in executors:
        if executor.label in places and isinstance(executor, HasBlocks):
            for block in executor.blocks():
                if not (block.nodes or block.has_ended):
                    yield f"{block.name}: {block.standing}"
            if executor.standing:
                yield f"{executor.label}: {executor.standing}"
