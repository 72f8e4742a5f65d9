"""Hold the functions that tasks run, importable by every peer's workers."""

import time
from pathlib import Path
from typing import Any

__all__ = ["add", "count", "increment", "noop", "wait_for_file"]

PATIENCE_SECONDS = 100.0


def noop(number: int) -> int:
    """Return `number`."""
    return number


def increment(number: Any) -> Any:
    """Return `number + 1`, for a number or an array."""
    return number + 1


def add(*numbers: int) -> int:
    """Return the sum of `numbers`."""
    return sum(numbers)


def count(*values: object) -> int:
    """Return how many `values` arrived."""
    return len(values)


def wait_for_file(path: str) -> int:
    """Return 0 once `path` exists, or after `PATIENCE_SECONDS`: no worker hangs for ever."""
    file = Path(path)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    return 0
