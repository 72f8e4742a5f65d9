"""Own the interface between the dataflow kernel and whatever runs bundles of calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.placement import Capacity
from nbflow.wire.messages import Call
from nbflow.worker.happenings import Exit, Happening, Post, Printed, SlotDown, SlotUp, Try

__all__ = ["Executor", "Exit", "Happening", "Post", "Printed", "SlotDown", "SlotUp", "Try"]


class Executor(Protocol):
    """Run bundles of calls somewhere; know nothing of a graph.

    `is_remote` tells whether calls leave this process, so that functions and arguments have to be picklable.
    """

    label: ExecutorId
    is_remote: bool

    def start(self, post: Post) -> Capacity:
        """Get ready and return the slots that are there; more may come as `SlotUp`.

        Raises ConfigError when it cannot work here.
        """

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has; each ends in one Returned or TryFailed.

        Never blocks.
        """

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries, running or not; nothing is reported for them.

        Processes are stopped in C code too; a thread cannot be, and is only no longer waited for.

        Calls that shared a stopped process come back as TryFailed(RECALLED) if they had not started. Unknown
        tries are passed over.
        """

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started, each as TryFailed(RECALLED)."""

    def close(self, how: Exit) -> None:
        """End all processes and threads of this executor and wait for them. May be called twice."""
