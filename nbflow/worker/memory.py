"""Own the bound on the memory of a call: what its process, and all that it started, hold is measured."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import psutil

from nbflow.worker.exits import EXIT_MEMORY

__all__ = ["bounded", "nbytes_held"]

LOOK_SECONDS = 0.05
MEGABYTE = 1_000_000


@contextmanager
def bounded(nbytes: int, log: TextIO) -> Iterator[None]:
    """End this process when it holds more than so many bytes meanwhile; the log says how many."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_SECONDS):
            held = nbytes_held()
            if held > nbytes:
                log.write(f"It held {held / MEGABYTE:,.0f} MB; its memory= is {nbytes / MEGABYTE:,.0f} MB.\n")
                log.flush()
                os._exit(EXIT_MEMORY)

    thread = threading.Thread(target=watch, name="nbflow-memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def nbytes_held() -> int:
    """Return the bytes in memory of this process and of all that descend from it; shared ones count once."""
    own = psutil.Process()
    processes = [own, *own.children(recursive=True)]
    if len(processes) == 1:
        return int(own.memory_info().rss)
    return sum(map(_share, processes))


def _share(process: psutil.Process) -> int:
    """Return a process's share of memory: what n processes share counts as a part in n of each."""
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return int(process.memory_info().rss)
    except FileNotFoundError:  # not Linux
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0
    except (OSError, psutil.Error):  # it has ended
        return 0
