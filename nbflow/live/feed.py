"""Own the one thread that reads a run's journal for all views of the run, at most four times a second.

It leaves the processor to the run: after a look that took long, it waits longer before the next.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, final

from nbflow.journal.follower import Follower
from nbflow.journal.reader import Reader, open_run
from nbflow.live.model import Changes, RunModel

__all__ = ["Feed", "Tick", "View", "feed_of"]

PERIOD_SECONDS = 0.25
REFRESH_SECONDS = 2.0
PAUSE_PER_WORK = 20.0
"""Seconds of rest for each second of processor time: a twentieth of one core at most ..."""

LONGEST_PAUSE_SECONDS = 5.0
"""... unless a run makes tens of thousands of events a second: views must not grow old."""

Job = Callable[[Reader], None]


@final
@dataclass(frozen=True, slots=True)
class Tick:
    """Tell a view what changed since it was told last. `now` is in seconds since the epoch."""

    model: RunModel
    changes: Changes
    now: float
    is_over: bool


class View(Protocol):
    """Be told about a run, on the feed's thread."""

    def follow(self, tick: Tick) -> None:
        """Take in what changed."""
        ...


@final
class Feed:
    """Follow one run for its views. The thread lives while there are views."""

    def __init__(self, address: Path | str) -> None:
        """Open the journal; raise JournalError when that cannot be."""
        self.address = address
        self.model = RunModel()
        self.trouble: Exception | None = None
        self._follower = Follower(address)
        self._views: list[View] = []
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._is_closed = False

    def attach(self, view: View) -> None:
        """Tell `view` from now on, beginning with everything that is known."""
        with self._lock:
            if self._is_closed or view in self._views:
                return
            self._jobs.put(lambda _: self._tell(view, Changes()))
            self._views.append(view)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="nbflow-live", daemon=True)
                self._thread.start()

    def detach(self, view: View) -> None:
        """Tell `view` nothing more."""
        with self._lock:
            if view in self._views:
                self._views.remove(view)
        self._jobs.put(lambda _: None)

    def refresh(self, view: View) -> None:
        """Look now, tell `view` and the others, and return when that is done."""
        is_done = threading.Event()

        def look(_: Reader) -> None:
            self._try(self._look)
            is_done.set()

        with self._lock:
            if self._thread is None or view not in self._views:
                return
            self._jobs.put(look)
        is_done.wait(REFRESH_SECONDS)

    def ask(self, job: Job) -> None:
        """Have `job` called soon with a reader, on the feed's thread."""
        self._jobs.put(job)

    def close(self) -> None:
        """Look a last time, then end the thread."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._jobs.put(lambda _: None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    def _work(self) -> None:
        with open_run(self.address) as reader:
            while self._has_work():
                used = time.thread_time()
                self._try(self._look)  # a journal that cannot be read now may be readable soon
                pause = PAUSE_PER_WORK * (time.thread_time() - used)
                self._serve(reader, min(max(PERIOD_SECONDS, pause), LONGEST_PAUSE_SECONDS))
            while not self._jobs.empty():
                self._try(partial(self._jobs.get(), reader))
        if self._is_closed:
            self._try(self._look)
            self._follower.close()
        if self._is_over or self._is_closed:
            _feeds.pop(str(self.address), None)

    def _has_work(self) -> bool:
        with self._lock:
            if self._views and not self._is_closed:
                return True
            self._thread = None
            return False

    def _look(self) -> None:
        """Read what is new and tell every view."""
        news = self._follower.news()
        model = self.model
        model.take(news)
        self._is_over = self._is_over or news.is_over
        changes = model.drain()
        for view in tuple(self._views):
            self._tell(view, changes)

    def _serve(self, reader: Reader, seconds: float) -> None:
        """Do what views ask for until it is time to look again; a run that is over needs no more looks."""
        deadline = time.monotonic() + seconds
        while True:
            left = None if self._is_over else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            try:
                job = self._jobs.get(timeout=left)
            except queue.Empty:
                return
            self._try(partial(job, reader))
            if self._is_closed or not self._views:
                return

    def _tell(self, view: View, changes: Changes) -> None:
        tick = Tick(self.model, changes, time.time(), self._is_over)
        if not self._try(partial(view.follow, tick)):
            self.detach(view)

    def _try(self, action: Callable[[], None]) -> bool:
        """Do something for a view; what it raises must not end the others."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the outcome is `trouble`
            self.trouble = error
            return False
        return True


_feeds: dict[str, Feed] = {}
_feeds_lock = threading.Lock()


def feed_of(address: Path | str) -> Feed:
    """Return the one feed of a run in this process. Raises JournalError when its journal cannot be read."""
    with _feeds_lock:
        feed = _feeds.get(str(address))
        if feed is None:
            feed = _feeds[str(address)] = Feed(address)
        return feed


@atexit.register
def _close_all() -> None:
    for feed in tuple(_feeds.values()):
        feed.close()
