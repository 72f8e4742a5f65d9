"""Own what leaves the store: what is old, what is over the limit, what a user wants forgotten."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import final

from nbflow.errors import ConfigError
from nbflow.memo.store import Store

__all__ = ["Garbage", "find_garbage", "forget", "size_limit"]

LIMIT_VARIABLE = "NBFLOW_CACHE_LIMIT"
DEFAULT_LIMIT = 10 * 10**9
KEYS_OF_APP = "SELECT key FROM results JOIN codes ON codes.id = results.code WHERE app = ?"


@final
@dataclass(frozen=True, slots=True)
class Garbage:
    """Say which calls could be forgotten, and how many bytes their results take; `kept` are the others'."""

    keys: tuple[bytes, ...]
    nbytes: int
    kept: int
    kept_nbytes: int


def size_limit() -> int:
    """Return how many bytes results may take: `NBFLOW_CACHE_LIMIT`, or 10 GB. Raises ConfigError."""
    text = os.environ.get(LIMIT_VARIABLE)
    if text is None:
        return DEFAULT_LIMIT
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise ConfigError(f"{LIMIT_VARIABLE}={text!r}: give a number of bytes, as 5e9") from None


def find_garbage(
    store: Store, *, max_nbytes: int | None = None, older_than_seconds: float | None = None
) -> Garbage:
    """Return the results that were not used for so long, and the least used of those over the limit."""
    kept = kept_nbytes = nbytes = 0
    keys: list[bytes] = []
    oldest = -1.0 if older_than_seconds is None else time.time() - older_than_seconds
    for key, size, used in store.query("SELECT key, nbytes, used FROM results ORDER BY used DESC"):
        is_over = max_nbytes is not None and kept_nbytes + size > max_nbytes
        if used < oldest or is_over:
            keys.append(key)
            nbytes += size
        else:
            kept += 1
            kept_nbytes += size
    return Garbage(tuple(keys), nbytes, kept, kept_nbytes)


def forget(store: Store, app: str) -> int:
    """Forget all results of the apps of this name; return how many there were."""
    keys = [row[0] for row in store.query(KEYS_OF_APP, app)]
    if keys:
        store.remove(keys)
    return len(keys)
