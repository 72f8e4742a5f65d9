"""What the tormented calls run. Imported by workers, so it imports little."""

import os
import signal
import time


def mark(where: str) -> None:
    """Leave a mark that this call begins to run; `where` is `path:name`."""
    path, _, name = where.rpartition(":")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{name}\n".encode())
    os.close(file)


def patient(where: str, value: int) -> int:
    """Take a moment and return the double."""
    mark(where)
    time.sleep(0.01)
    return value * 2


def poison(where: str) -> None:
    """Kill every worker that runs this, as bad C code does."""
    mark(where)
    os.kill(os.getpid(), signal.SIGSEGV)


def deadly(where: str) -> None:
    """End the worker without a word."""
    mark(where)
    os._exit(7)


def slow(where: str, value: int) -> int:
    """Take a third of a second and return the double."""
    mark(where)
    time.sleep(0.3)
    return value * 2
