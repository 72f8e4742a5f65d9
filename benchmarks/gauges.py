"""Read clocks, memory and the process tree; know nothing of peers and workloads."""

import gc
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

__all__ = ["Stopwatch", "settled_resident_bytes", "stop_processes"]

SETTLING_SECONDS = 1.0


def settled_resident_bytes() -> int:
    """Return the resident memory of this process once threads in the background let go of theirs."""
    time.sleep(SETTLING_SECONDS)
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def stop_processes(processes: list[psutil.Process]) -> int:
    """Kill those of `processes` that still run and return how many they were."""
    running = [process for process in processes if process.is_running()]
    for process in running:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(running, timeout=5)
    return len(running)


@dataclass(slots=True)
class Stopwatch:
    """Time a `with` block: wall seconds, and CPU seconds here and in the processes below this one.

    CPU seconds hardly depend on what else the machine does, wall seconds do.
    """

    wall_seconds: float = 0.0
    client_cpu_seconds: float = 0.0
    others_cpu_seconds: float = 0.0

    def __enter__(self) -> Self:
        gc.collect()
        self.others_cpu_seconds = -_descendants_cpu_seconds()
        self.client_cpu_seconds = -time.process_time()
        self.wall_seconds = -time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall_seconds += time.perf_counter()
        self.client_cpu_seconds += time.process_time()
        self.others_cpu_seconds += _descendants_cpu_seconds()

    def per_task(self, tasks: int) -> dict[str, float]:
        """Return the figures every workload reports, for `tasks` tasks."""
        return {
            "tasks_per_second": tasks / self.wall_seconds,
            "wall_seconds": self.wall_seconds,
            "client_cpu_microseconds": 1e6 * self.client_cpu_seconds / tasks,
            "others_cpu_microseconds": 1e6 * self.others_cpu_seconds / tasks,
        }


def _descendants_cpu_seconds() -> float:
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
