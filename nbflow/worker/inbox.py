"""Own the way into a thread that waits in a selector."""

from __future__ import annotations

import selectors
import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar, final

from nbflow.worker.bell import Bell

__all__ = ["Inbox"]

Item = TypeVar("Item")


@final
class Inbox(Generic[Item]):
    """Carry items to one thread, in order; putting one costs a system call only while that thread waits."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._bell = Bell()
        self._is_waiting = False
        self._is_closed = False

    def fileno(self) -> int:
        """Return what the waiting thread's selector has to watch for reading."""
        return self._bell.fileno()

    def __bool__(self) -> bool:
        """Tell whether items are there."""
        return bool(self._items)

    def put(self, item: Item) -> bool:
        """Hand over an item from any thread; return False when nobody will take it any more."""
        with self._lock:
            if self._is_closed:
                return False
            self._items.append(item)
            if self._is_waiting:
                self._is_waiting = False
                self._bell.ring()
        return True

    def wait(
        self, selector: selectors.BaseSelector, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for the selector's files or for an item; return the files that are ready, without this one."""
        self._is_waiting = True  # before the look at the items: one that comes in between rings
        ready = selector.select(0 if self._items else timeout)
        self._is_waiting = False
        others = [(key, events) for key, events in ready if key.fileobj is not self]
        if len(others) < len(ready):
            self._bell.silence()
        return others

    def take(self) -> Iterator[Item]:
        """Give the items that are there, oldest first."""
        while self._items:
            yield self._items.popleft()

    def close(self) -> None:
        """Take no more items; those that are there can still be taken."""
        with self._lock:
            self._is_closed = True
            self._bell.close()
