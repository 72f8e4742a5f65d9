"""Own the live graph in the notebook: it sends frames to the browser and answers its clicks."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, final

import traitlets

from nbflow.journal.reader import Reader
from nbflow.live.critical import critical_path
from nbflow.live.deeds import do, told
from nbflow.live.esm import join_modules
from nbflow.live.feed import Feed, Tick
from nbflow.live.frames import Frame, encode, encode_past
from nbflow.live.headline import Headline, Tally
from nbflow.live.inside import tell_inside
from nbflow.live.panes import CHARTS, STILL_WIDTH, TABS, Panes
from nbflow.live.past import Past
from nbflow.live.picture import draw_progress, draw_run
from nbflow.live.scene import Scene, Update
from nbflow.live.source import Run
from nbflow.live.story import tell_app, tell_file, tell_path, tell_task
from nbflow.live.widgets import LiveWidget

__all__ = ["GraphView"]


@final
class GraphView(LiveWidget):
    """Show a run, or some of its tasks and what they need, as a graph that lives while cells run."""

    _esm = join_modules("watch.js")

    tabs = traitlets.List(list(TABS)).tag(sync=True)

    def __init__(
        self, run: Run, feed: Feed, tasks: Collection[int] | None = None, *, tabs: Sequence[str] = TABS
    ) -> None:
        super().__init__(feed, tasks, tabs=list(tabs))
        self._run = run
        self._panes = Panes(feed.model, run.result_of)
        self._scene: Scene | None = None
        self._past: Past | None = None
        self._browsers = 0
        self._was_asked = False
        self._seq = 0
        self.on_msg(self._receive)
        feed.attach(self)

    def wanted(self) -> Collection[int] | None:
        """Return the tasks that are counted; None for all."""
        return super().wanted() if self._scene is None else self._scene.tasks

    def show_changes(self, tick: Tick, headline: Headline) -> None:
        """Send a frame, if anything is to be seen of the changes."""
        self._panes.note(tick)
        if self._panes.is_due(tick.now):
            self.feed.ask(self._send_pane)
        scene = self._scene
        if scene is None:
            scene = self._scene = Scene(tick.model, self.wanted())
        update = scene.follow(tick.changes)
        if self._past is None and (update or headline != self.headline):
            # Until the browser is heard of, it may have missed what was sent before: begin anew each time.
            self._send_frame(update if self._was_asked else scene.whole(), headline)

    def draw(self) -> str:
        """Return the headline and the graph, or the chart that stands alone, as HTML."""
        if self._scene is None or self.headline is None:
            return ""
        if self.tabs[0] in CHARTS:
            chart = self._panes.draw(self.tabs[0], self.wanted(), time.time(), STILL_WIDTH)
            return draw_progress(self.headline) + chart
        return draw_run(self._scene, self.feed.model, self.headline)

    def look_back(self, seconds: float | None) -> None:
        """Show the run as it stood so many seconds after its start; with None as it stands now."""
        self.feed.ask(lambda _: self._look_back(seconds))

    def show_files(self, *, are_shown: bool = True) -> None:
        """Show files between the tasks that write and read them, or no more."""
        self.feed.ask(lambda reader: self._answer(reader, {"kind": "files", "are_shown": are_shown}))

    def critical_path(self) -> list[int]:
        """Return the numbers of the tasks that made the run as long as it was, first task first."""
        return critical_path(self.feed.model, self.wanted())

    def _look_back(self, seconds: float | None) -> None:
        if seconds is None or self._scene is None:
            self._past = None
            self._send_whole()
            return
        if self._past is None:
            self._past = Past(self._run.address)
        past = self._past
        moment = min(past.began + max(0.0, seconds), past.ended)
        model = past.at(moment)
        headline = Tally().sum_up(model, now=moment, tasks=self._scene.tasks, is_over=moment == past.ended)
        told = {"seconds": moment - past.began, "of": past.ended - past.began}
        self._send_scene(encode_past(model, self._scene), headline, now=moment, past=told)

    def _send_frame(self, update: Update, headline: Headline) -> None:
        frame = encode(update, self._scene, self.feed.model) if update and self._scene is not None else None
        self._send_scene(frame, headline, now=time.time())

    def _send_scene(self, frame: Frame | None, headline: Headline, **told: Any) -> None:
        scene, buffers = frame or (None, [])
        content = {"kind": "frame", "seq": self._seq, "head": headline.to_message(), **told}
        if scene is not None:
            content["scene"] = scene
        self._seq += 1
        self.send(content, buffers)

    def _receive(self, _: object, content: dict[str, Any], __: object) -> None:
        """Hand a message of the browser to the feed's thread: this one may be in the middle of a cell."""
        match content.get("kind"):
            case "open":
                self._browsers += 1
                self.feed.attach(self)
            case "close":
                self._browsers -= 1
        self.feed.ask(lambda reader: self._answer(reader, content))

    def _answer(self, reader: Reader, content: dict[str, Any]) -> None:
        try:
            self._act(reader, content)
        except Exception as error:  # noqa: BLE001 - the outcome is a message
            self.send(told(f"{type(error).__name__}: {error}", is_error=True))

    def _act(self, reader: Reader, content: dict[str, Any]) -> None:
        scene, model = self._scene, self.feed.model
        match content:
            case {"kind": "open"}:
                self._was_asked = True
                self._past = None
                self._send_whole()
            case {"kind": "close"} if self._browsers <= 0:
                self.feed.detach(self)
                if scene is not None:
                    scene.forget()
            case {"kind": "toggle", "app": int(app)} if scene is not None:
                scene.toggle(app)
                self._send_whole()
                self.send(tell_app(model, scene, app))
            case {"kind": "files", "are_shown": bool(are_shown)} if scene is not None:
                scene.show_files(are_shown=are_shown)
                self._send_whole()
            case {"kind": "past", "seconds": seconds}:
                self._look_back(seconds)
            case {"kind": "pane"}:
                self._panes.ask(content)
                self._send_pane(reader)
            case _:
                for answer in self._answers(reader, content):
                    self.send(answer)

    def _answers(self, reader: Reader, content: dict[str, Any]) -> list[dict[str, Any]]:
        """Tell what is asked about, or do what is asked for."""
        scene, model = self._scene, self.feed.model
        match content:
            case {"kind": "story", "task": int(task)}:
                return [tell_task(reader, model, task) | {"memo": self._run.why_remembered(task)}]
            case {"kind": "file", "file": int(file)}:
                return [tell_file(model, file)]
            case {"kind": "card", "app": int(app)} if scene is not None:
                return [tell_app(model, scene, app)]
            case {"kind": "look", "task": int(task)}:
                return [tell_inside(self._run.capsule(task))]
            case {"kind": "critical"}:
                return [tell_path(model, self.critical_path())]
        return do(self._run, reader, content)

    def _send_pane(self, reader: Reader) -> None:
        pane = self._panes.tell(reader, self.wanted(), time.time())
        if pane is not None:
            self.send(pane)

    def _send_whole(self) -> None:
        if self._scene is not None and self.headline is not None:
            self._send_frame(self._scene.whole(), self.headline)
