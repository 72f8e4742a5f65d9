"""Own the interface between the dataflow kernel and whatever runs bundles of calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.scaling import Outlook
from nbflow.wire.messages import Call
from nbflow.worker.happenings import (
    Exit,
    Happening,
    Held,
    NodeDown,
    NodeDraining,
    NodeUp,
    Post,
    Printed,
    Receipt,
    Recovered,
    SlotDown,
    SlotUp,
    Try,
    Used,
)

__all__ = [
    "Durable",
    "Elastic",
    "Executor",
    "Exit",
    "Happening",
    "Held",
    "NodeDown",
    "NodeDraining",
    "NodeUp",
    "Post",
    "Printed",
    "Receipt",
    "Recovered",
    "SlotDown",
    "SlotUp",
    "Try",
    "Used",
]


class Executor(Protocol):
    """Run bundles of calls somewhere; know nothing of a graph.

    `is_remote` tells whether calls leave this process, so that functions and arguments have to be picklable.
    """

    label: ExecutorId
    is_remote: bool

    def start(self, post: Post) -> Capacity:
        """Get ready and return what it offers, with the slots that are there.

        More may come as `SlotUp`, or with whole nodes as `NodeUp`.

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


@runtime_checkable
class Elastic(Protocol):
    """Be told, beside being an executor, what is wanted, so as to grow and shrink.

    `wait_seconds` tells how long a new block is expected to wait for its start, None when nobody knows.
    """

    wait_seconds: float | None

    def demand(self, outlook: Outlook) -> None:
        """Take what is queued for it and in its hands; comes about once per second. Never blocks."""


@runtime_checkable
class Durable(Protocol):
    """Keep calls, and results that nobody took, when this process dies, for the next one of its notebook.

    What was sent to a slot and did not end in the journal of its run may be had back when the slot is `held`.
    """

    def belong(self, run: str, notebook: str) -> None:
        """Be told, before `start`, in which run it serves, and by which name the next kernel will ask."""

    def held(self) -> Collection[Held]:
        """Return the slots of former runs whose calls run on, or whose results wait to be taken.

        `start` has waited for pilots that come back at once; of later ones a Recovered tells.
        """

    def adopt(self, held: Held, former: Try, call: Call) -> None:
        """Have what becomes of a former try reported as that of `call`, which is not sent anywhere.

        It ends like a call that was sent: in Returned or TryFailed, which is EXPIRED, so that it costs no
        retry, when the former try had never arrived there or its result cannot be read. `drop` stops it.
        """

    def disown(self, run: str) -> None:
        """Stop what still runs for a former run, and let its results go, but for what was adopted."""

    def leave(self) -> None:
        """End what is in this process only, in place of `close`: all else goes on, as if it had died."""
