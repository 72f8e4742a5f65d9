"""Own what a crew and the place where its workers run ask of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from nbflow.core.ids import SlotId
from nbflow.wire.frames import Buffer
from nbflow.worker.child import Child
from nbflow.worker.process import Ending

__all__ = ["Front", "Host", "Hosted"]


class Hosted(Protocol):
    """A worker process as its host sees it; `is_over` is for the host to set when it has ended."""

    is_over: bool
    ending: Ending | None

    @property
    def child(self) -> Child:
        """Return how it is reached."""

    def end(self, ending: Ending) -> None:
        """Have it killed with all that descends from it."""


class Host(Protocol):
    """Where a crew's workers run."""

    def launch(self, slot: SlotId, threads: int) -> Child:
        """Start a worker process with so many threads for calls. Raises OSError."""

    def welcome(self, worker: Any) -> None:
        """Be told of a new worker: what it says is to be handed to `Front.hear`, its end to `Front.bury`."""

    def watch(self, worker: Any) -> None:
        """Be told that a worker may have output left to send."""


class Front(Protocol):
    """Who is told by a host what its workers say."""

    def hear(self, worker: Any, messages: Iterable[Sequence[Buffer]]) -> None:
        """Take what a worker says."""

    def bury(self, worker: Any) -> None:
        """Take leave of a worker that has ended and was heard to its end."""
