"""Own the executor that runs calls in worker processes on this machine."""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from typing import final

from nbflow.core.capacity import Capacity
from nbflow.core.ids import ExecutorId, SlotId
from nbflow.errors import ConfigError
from nbflow.executors.capacity import capacity_for
from nbflow.executors.launching import Place, equip
from nbflow.executors.protocol import Exit, Post, Try
from nbflow.wire.messages import Call
from nbflow.worker.cores import available_cores
from nbflow.worker.pool import Pool

__all__ = ["ProcessesExecutor"]


@final
class ProcessesExecutor:
    """Run calls in `workers` processes (as many as there are cores when not given), in threads of each."""

    is_remote = True

    def __init__(
        self, label: str = "processes", workers: int | None = None, threads_per_worker: int = 1
    ) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"executor {label!r}: workers={workers}, but it takes at least 1")
        self.label = ExecutorId(label)
        self._pool = Pool(self.label, workers or available_cores(), threads_per_worker)

    def start(self, post: Post) -> Capacity:
        """Start the processes and return their slots, which take calls at once."""
        return capacity_for(self._pool.start(post), keeps_results=True)

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has."""
        equip(calls, "single", lambda _: Place([platform.node()], available_cores()))
        self._pool.send(slot, calls)

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries, in C code too; a process that ran one of them is replaced."""
        self._pool.drop(tries)

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started."""
        self._pool.recall(tries)

    def close(self, how: Exit) -> None:
        """End the processes, with all that they started, and wait for them."""
        self._pool.close(how)
