from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbflow.core.states import State
from nbflow.journal.rows import FileRow
from nbflow.live.feed import Feed
from nbflow.live.graph import GraphView

from .sample import TRACEBACK, SampleRun

EVIL = "<img src=x onerror=alert(1)>"


class Browser:
    """What the browser would get, and what it would send."""

    def __init__(self, view: GraphView) -> None:
        self.view = view
        self.got: list[tuple[dict[str, Any], list[bytes]]] = []

    def send(self, **content: Any) -> list[dict[str, Any]]:
        """Send a message to the kernel; return the answers."""
        before = len(self.got)
        self.view._receive(self.view, content, [])
        self.view.feed.refresh(self.view)
        return [content for content, _ in self.got[before:]]

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [content for content, _ in self.got if content["kind"] == "frame"]


@pytest.fixture
def browser(run: SampleRun, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    browsers: list[Browser] = []
    monkeypatch.setattr(
        GraphView,
        "send",
        lambda view, content, buffers=None: browsers[0].got.append((content, buffers or [])),
    )
    view = GraphView.__new__(GraphView)
    browsers.append(Browser(view))
    view.__init__(run, feed)  # type: ignore[misc]
    feed.refresh(view)
    yield browsers[0]
    view.close()


def test_frames_begin_anew_until_the_browser_is_heard(run: SampleRun, browser: Browser) -> None:
    task = run.submit("f")
    run.publish()
    browser.view.feed.refresh(browser.view)
    assert browser.frames[-1]["scene"]["is_new"]
    assert browser.send(kind="open")[0]["scene"]["is_new"]
    run.start(task)
    run.publish()
    browser.view.feed.refresh(browser.view)
    assert not browser.frames[-1]["scene"]["is_new"]
    numbers = [frame["seq"] for frame in browser.frames]
    assert numbers == list(range(len(numbers)))


def test_nothing_is_sent_while_nothing_happens(run: SampleRun, browser: Browser) -> None:
    browser.send(kind="open")
    before = len(browser.got)
    browser.view.feed.refresh(browser.view)
    assert len(browser.got) == before


def test_a_click_gets_the_story_of_a_failed_task(run: SampleRun, browser: Browser) -> None:
    task = run.submit("train", call=EVIL)
    run.start(task, slot="processes/2")
    run.print(task, "fitting ...\n")
    run.fail(task)
    run.publish()
    (story,) = [answer for answer in browser.send(kind="story", task=task) if answer["kind"] == "story"]
    assert story["state"] == State.FAILED
    assert story["call"] == EVIL  # as text: the browser makes text nodes of it
    assert "".join(part["text"] for part in story["failure"]["traceback"]) == TRACEBACK
    assert story["slot"] == "processes/2"
    assert story["outputs"] == [{"stream": "stdout", "text": "fitting ...\n", "nbytes": 12}]
    assert story["can_retry"]


def test_a_click_on_an_unknown_task_is_answered(browser: Browser) -> None:
    answers = browser.send(kind="story", task=99)
    assert [(answer["kind"], answer["is_error"]) for answer in answers] == [("told", True)]


def test_a_card_lists_what_is_in_trouble_first(run: SampleRun, browser: Browser) -> None:
    tasks = [run.submit("train") for _ in range(3)]
    run.fail(tasks[2])
    run.publish()
    browser.view.feed.refresh(browser.view)
    (card,) = [answer for answer in browser.send(kind="card", app=1) if answer["kind"] == "card"]
    assert card["app_name"] == "train"
    assert card["total"] == 3
    assert [entry["task"] for entry in card["tasks"]] == [tasks[2], tasks[0], tasks[1]]


def test_retry_reaches_the_run(run: SampleRun, browser: Browser) -> None:
    assert browser.send(kind="retry", tasks=[3, 4])[-1]["text"] == "2 tasks run again"
    browser.send(kind="retry", tasks=None)
    assert run.done == [
        ("retry", {"tasks": [3, 4], "by": "the panel"}),
        ("retry", {"tasks": None, "by": "the panel"}),
    ]


def test_an_edit_is_drafted_with_its_failing_line_and_then_done(run: SampleRun, browser: Browser) -> None:
    task = run.submit("train")
    run.fail(task)
    run.publish()
    browser.view.feed.refresh(browser.view)
    (draft,) = [answer for answer in browser.send(kind="draft", task=task) if answer["kind"] == "draft"]
    assert draft["marked"] == 2  # line 4 of the cell, in a function that begins on line 2
    edit = {"task": task, "source": "def train(): return 1\n", "arguments": {}, "all_alike": True}
    answers = browser.send(kind="edit", adopt=True, **edit)
    edited, told = (answer for answer in answers if answer["kind"] in ("edited", "told"))
    assert (edited["error"], edited["is_adopted"]) == ("", True)
    assert told["text"] == "2 tasks run again"
    assert run.done[-1] == ("edit", edit | {"by": "the panel"})
    answers = browser.send(kind="edit", adopt=False, **(edit | {"source": "def"}))
    (refused,) = [answer for answer in answers if answer["kind"] == "edited"]
    assert "was not run again" in refused["error"]


def test_a_closed_view_is_told_nothing_until_it_opens_again(run: SampleRun, browser: Browser) -> None:
    browser.send(kind="open")
    browser.send(kind="close")
    run.submit("f")
    run.publish()
    browser.view.feed.refresh(browser.view)
    assert browser.frames[-1]["head"]["total"] == 0
    browser.send(kind="open")
    assert browser.frames[-1]["head"]["total"] == 1
    assert browser.frames[-1]["scene"]["is_new"]


def test_the_view_has_a_text_and_a_picture_too(run: SampleRun, browser: Browser) -> None:
    task = run.submit("<b>train</b>")
    run.fail(task, message=EVIL)
    run.publish()
    browser.view.feed.refresh(browser.view)
    bundle, _ = browser.view._repr_mimebundle_()
    assert bundle["text/plain"] == "nbflow: 0 of 1 task done, 1 failed, finished in 0 ms"
    assert "&lt;b&gt;train" in bundle["text/html"]
    assert "<b>train" not in bundle["text/html"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == browser.view.model_id


def test_a_person_goes_back_in_time_and_the_present_waits(run: SampleRun, browser: Browser) -> None:
    first, second = run.submit("f", at=100.0), run.submit("f", at=101.0)
    run.start(first, at=102.0)
    run.finish(first, at=104.0)
    run.publish()
    browser.send(kind="open")
    (frame,) = browser.send(kind="past", seconds=2.5)
    assert frame["past"] == {"seconds": 2.5, "of": 4.0}
    assert not frame["scene"]["is_new"]
    assert frame["head"]["counts"][State.RUNNING] == 1
    states = browser.got[-1][1][4]
    assert list(states) == [State.RUNNING, State.QUEUED]
    assert list(browser.send(kind="past", seconds=0.5) and browser.got[-1][1][4]) == [State.QUEUED, State.NEW]

    run.start(second)
    run.publish()
    sent = len(browser.frames)
    browser.view.feed.refresh(browser.view)
    assert len(browser.frames) == sent
    now = browser.send(kind="past", seconds=None)[0]
    assert "past" not in now
    assert now["head"]["counts"][State.RUNNING] == 1


def test_the_critical_path_is_told(run: SampleRun, browser: Browser) -> None:
    first = run.submit("f")
    second = run.submit("g", [first])
    for task in (first, second):
        run.start(task)
        run.finish(task, seconds=0.5)
    run.publish()
    browser.send(kind="open")
    (told,) = (one for one in browser.send(kind="critical") if one["kind"] == "critical")
    assert told == {"kind": "critical", "tasks": [[first, 1], [second, 2]], "seconds": 1.0}
    assert browser.view.critical_path() == [first, second]


def test_files_are_shown_when_they_are_asked_for_and_told_of(
    run: SampleRun, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("1,2\n")
    writer = run.submit("align")
    reader = run.submit("call", [writer])
    run.journal.files.extend([FileRow(writer, str(path), True), FileRow(reader, str(path), False)])
    run.publish()
    browser.send(kind="open")
    scene = browser.frames[-1]["scene"]
    assert (scene["has_files"], scene["shows_files"]) == (True, False)
    browser.view.show_files()
    browser.view.feed.refresh(browser.view)
    scene = browser.frames[-1]["scene"]
    assert scene["shows_files"]
    assert "sample.csv" in scene["calls"]
    assert scene["apps"][0] == "files"
    (told,) = [answer for answer in browser.send(kind="file", file=1) if answer["kind"] == "file"]
    assert (told["path"], told["nbytes"]) == (str(path), 4)
    assert [one["task"] for one in (*told["written_by"], *told["read_by"])] == [writer, reader]
    path.unlink()
    (told,) = [answer for answer in browser.send(kind="file", file=1) if answer["kind"] == "file"]
    assert told["nbytes"] is None
    assert "sample.csv" not in browser.view.draw(), "names of marks are for the tooltip"
    browser.send(kind="files", are_shown=False)
    assert not browser.frames[-1]["scene"]["shows_files"]
