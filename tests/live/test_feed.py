import threading

import pytest

from nbflow.core.states import State
from nbflow.errors import JournalError
from nbflow.journal.follower import News
from nbflow.live.feed import Feed, Tick, feed_of
from nbflow.live.model import Changes

from .sample import SampleRun


class Watcher:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Changes] = []
        self.last: Tick | None = None
        self.threads: set[str] = set()

    def follow(self, tick: Tick) -> None:
        self.told.append(tick.changes)
        self.last = tick
        self.threads.add(threading.current_thread().name)


class Broken:
    def follow(self, tick: Tick) -> None:
        raise RuntimeError("this view cannot draw")


def test_a_view_is_told_what_happened(run: SampleRun, feed: Feed) -> None:
    watcher = Watcher()
    task = run.submit("f")
    run.publish()
    feed.attach(watcher)
    feed.refresh(watcher)
    run.start(task)
    run.finish(task)
    run.publish()
    feed.refresh(watcher)
    assert watcher.last is not None
    assert watcher.last.model.summary()[State.DONE] == 1
    assert [list(changes.tasks) for changes in watcher.told if changes.tasks] == [[task]]
    assert watcher.threads == {"nbflow-live"}


def test_a_view_that_fails_is_left_alone_and_hurts_nobody(run: SampleRun, feed: Feed) -> None:
    watcher, broken = Watcher(), Broken()
    feed.attach(broken)
    feed.attach(watcher)
    run.submit("f")
    run.publish()
    feed.refresh(watcher)
    feed.refresh(watcher)
    assert watcher.last is not None
    assert watcher.last.model.summary().total == 1
    assert "cannot draw" in str(feed.trouble)


def test_the_thread_ends_with_the_last_view_and_comes_back(run: SampleRun, feed: Feed) -> None:
    watcher = Watcher()
    feed.attach(watcher)
    feed.refresh(watcher)
    (thread,) = [one for one in threading.enumerate() if one.name == "nbflow-live"]
    feed.detach(watcher)
    thread.join(timeout=5)
    assert not thread.is_alive()
    run.submit("f")
    run.publish()
    feed.attach(watcher)
    feed.refresh(watcher)
    assert watcher.last is not None
    assert watcher.last.model.summary().total == 1


def test_the_end_of_the_run_is_told(run: SampleRun, feed: Feed) -> None:
    watcher = Watcher()
    feed.attach(watcher)
    run.journal.close("closed")
    feed.refresh(watcher)
    assert watcher.last is not None
    assert watcher.last.is_over


def test_closing_tells_a_last_time(run: SampleRun, feed: Feed) -> None:
    watcher = Watcher()
    feed.attach(watcher)
    feed.refresh(watcher)
    run.submit("f")
    run.publish()
    feed.close()
    assert watcher.last is not None
    assert watcher.last.model.summary().total == 1


def test_there_is_one_feed_for_a_run(run: SampleRun) -> None:
    feed = feed_of(run.address)
    assert feed_of(run.address) is feed


def test_a_look_that_fails_is_made_up_for_by_the_next(
    run: SampleRun, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> News:
        raise JournalError("disk I/O error")

    watcher = Watcher()
    feed.attach(watcher)
    with monkeypatch.context() as patch:
        patch.setattr(feed._follower, "news", fail)
        feed.refresh(watcher)
        assert "disk" in str(feed.trouble)
    run.submit("f")
    run.publish()
    feed.refresh(watcher)
    assert watcher.last is not None
    assert watcher.last.model.summary().total == 1
