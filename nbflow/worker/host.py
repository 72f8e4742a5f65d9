"""Own what a crew asks of the place where its workers run."""

from __future__ import annotations

from typing import Protocol

from nbflow.core.ids import SlotId
from nbflow.worker.child import Child
from nbflow.worker.process import WorkerProcess

__all__ = ["Host"]


class Host(Protocol):
    """Where a crew's workers run."""

    def launch(self, slot: SlotId) -> Child:
        """Start a worker process. Raises OSError."""

    def welcome(self, worker: WorkerProcess) -> None:
        """Be told of a new worker: what it says is to be handed to `Crew.hear`, its end to `Crew.bury`."""

    def watch(self, worker: WorkerProcess) -> None:
        """Be told that a worker may have output left to send."""
