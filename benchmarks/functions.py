"""Hold the functions that tasks run, importable by every peer's workers."""

import linecache
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["add", "count", "increment", "nap", "noop", "wait_for_file", "with_helpers"]

HELPER = """
def helper_{number}(x):
    value = x * {version} + LIMITS[{number} % 3]
    return math.sqrt(value) + helper_{next}(x)

"""
PATIENCE_SECONDS = 100.0


def noop(number: int) -> int:
    """Return `number`."""
    return number


def nap(number: int) -> int:
    """Return `number` after a twentieth of a second, in which nothing is computed."""
    time.sleep(0.05)
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


def with_helpers(count: int, version: int) -> Callable[[float], float]:
    """Return a function with `count` helpers that call each other, defined as a notebook's cell does it."""
    helpers = "".join(
        HELPER.format(number=number, version=version, next=number + 1) for number in range(count)
    )
    text = f"import math\nLIMITS = [1, 2, 3]\n{helpers}def helper_{count}(x):\n    return x\n"
    name = f"<cell {count} {version}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), namespace)
    function: Callable[[float], float] = namespace["helper_0"]
    return function


def wait_for_file(path: str) -> int:
    """Return 0 once `path` exists, or after `PATIENCE_SECONDS`: no worker hangs for ever."""
    file = Path(path)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    return 0
