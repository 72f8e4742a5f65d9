"""Own what a view knows of a run: the state, app and times of each task, and counts. Pure: it is fed rows.

Everything per task sits in arrays indexed by the task's id, some 30 bytes a task beside the text of its call.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import final

from nbflow.core.states import FINAL, State
from nbflow.journal.follower import News, StateChange
from nbflow.journal.rows import AppRow, EdgeRow, FileRow, TaskRow, UsageRow
from nbflow.live.spans import Spans

__all__ = ["FILES", "SPAWNED", "Changes", "RunModel", "Summary"]

SPAWNED = 2
"""`EdgeRow.kind` in views: a join app's body made the child; beside the kinds of the journal."""

FILES = 0
"""Stands where the app of a task would: views show a file as a task of no app, with its number negative."""

MAX_CALL_LENGTH = 120


@final
@dataclass(frozen=True, slots=True)
class Changes:
    """Say what became different: new tasks, new edges, and the tasks to which something happened."""

    tasks: Sequence[int] = ()
    edges: Sequence[EdgeRow] = ()
    states: Sequence[int] = ()

    def __bool__(self) -> bool:
        return bool(self.tasks or self.edges or self.states)


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """Count tasks: in each state, all, final ones, and those that wait for a person."""

    counts: tuple[int, ...]
    total: int = field(init=False)
    finished: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.counts))
        object.__setattr__(self, "finished", sum(self.counts[state] for state in FINAL))

    @property
    def left(self) -> int:
        """Count the tasks that are not final."""
        return self.total - self.finished

    def __getitem__(self, state: State) -> int:
        return self.counts[state]


@final
class RunModel:
    """Keep the picture of one run that its views share."""

    def __init__(self) -> None:
        self.app_names: dict[int, str] = {}
        self.calls: list[str] = [""]
        self.state_of = bytearray(1)
        self.app_of = array("l", [0])
        self.started = array("d", [0.0])
        self.seconds = array("d", [0.0])
        self.since = array("d", [0.0])
        self.origins: list[str] = [""]
        self.origin_of = array("l", [0])
        self.by_app: dict[int, list[int]] = {}
        self.edges: list[EdgeRow] = []
        self.files: list[str] = [""]
        self.read_by: dict[int, list[int]] = {}
        self.written_by: dict[int, list[int]] = {}
        self.writer_of: dict[int, int] = {}
        self.usage: dict[int, UsageRow] = {}
        self.spans = Spans()
        self.began: float | None = None
        self.latest = 0.0
        self._first_called: dict[tuple[str, str], int] = {}
        self._shown_as: dict[int, int] = {}
        self._origin_numbers = {"": 0}
        self._file_numbers: dict[str, int] = {}
        self._new_tasks: list[int] = []
        self._new_edges = 0
        self._touched: set[int] = set()

    def take(self, news: News) -> None:
        """Take in all that is new in a journal."""
        self.add_apps(news.apps)
        self.add_tasks(news.tasks)
        self.add_edges(news.edges)
        self.add_files(news.files)
        self.add_changes(news.changes)
        self.usage.update((row.task, row) for row in news.usage)

    def add_apps(self, rows: Iterable[AppRow]) -> None:
        """Take in apps. One that is defined anew, in a cell run again, is the same app to a reader."""
        for row in rows:
            self.app_names[row.app] = row.name
            self._shown_as[row.app] = self._first_called.setdefault((row.module, row.name), row.app)

    def add_tasks(self, rows: Iterable[TaskRow]) -> None:
        """Take in submissions; one that is known already is skipped."""
        rows = list(rows)
        if not rows:
            return
        self._make_room(max(row.task for row in rows))
        self.began = rows[0].time if self.began is None else self.began
        self.latest = max(self.latest, rows[-1].time)
        app_of, state_of, calls, by_app = self.app_of, self.state_of, self.calls, self.by_app
        shown_as = self._shown_as
        for task, _, time, defined, _, call, state, spawner, origin in rows:
            if app_of[task]:
                continue
            if state == State.QUEUED:
                self.spans.note_ready(task, time)
            app_of[task] = app = shown_as.get(defined, defined)
            state_of[task] = state
            calls[task] = call[:MAX_CALL_LENGTH]
            self.origin_of[task] = self._number_of(origin or "")
            if app not in by_app:
                by_app[app] = [0] * len(State)
            by_app[app][state] += 1
            self._new_tasks.append(task)
            if spawner is not None:
                self.edges.append(EdgeRow(spawner, task, SPAWNED))

    def add_edges(self, rows: Iterable[EdgeRow]) -> None:
        """Take in edges; both ends must have been added."""
        self.edges.extend(rows)

    def add_files(self, rows: Iterable[FileRow]) -> None:
        """Take in which files tasks read and write; a file's number is its place in `files`."""
        for task, path, is_written in rows:
            number = self._file_numbers.setdefault(path, len(self.files))
            if number == len(self.files):
                self.files.append(path)
            (self.written_by if is_written else self.read_by).setdefault(task, []).append(number)
            if is_written:
                self.writer_of[number] = task

    def add_changes(self, changes: Iterable[StateChange]) -> None:
        """Take in what happened to tasks, in its order. A task that was never added is skipped."""
        state_of, app_of, touched, spans = self.state_of, self.app_of, self._touched, self.spans
        known = len(state_of)
        time = self.latest
        for task, state, time, seconds, slot in changes:
            if not 0 < task < known or not app_of[task]:
                continue
            before = state_of[task]
            if slot is not None:
                spans.note_sent(task, slot, time)
            elif before == State.RUNNING:
                spans.note_left(task, state, time, seconds)
            if state == State.QUEUED:
                spans.note_ready(task, time)
            if state == State.RUNNING:
                self.started[task] = time
                self.seconds[task] = 0.0
            if seconds is not None:
                self.seconds[task] = seconds
            if before != state:
                counts = self.by_app[app_of[task]]
                counts[before] -= 1
                counts[state] += 1
                state_of[task] = state
                self.since[task] = time
            touched.add(task)
        self.latest = max(self.latest, time)

    def drain(self) -> Changes:
        """Give what changed since the last call."""
        edges = self.edges[self._new_edges :]
        changes = Changes(self._new_tasks, edges, sorted(self._touched))
        self._new_tasks, self._new_edges, self._touched = [], len(self.edges), set()
        return changes

    def everything(self) -> Changes:
        """Give all that is known, as a view that opens now has to learn it."""
        return Changes([task for task, app in enumerate(self.app_of) if app], self.edges, ())

    def summary(self, tasks: Iterable[int] | None = None) -> Summary:
        """Count the tasks of the run, or only these."""
        by_app = self.by_app if tasks is None else self.count_by_app(tasks)
        rows = list(by_app.values()) or [[0] * len(State)]
        return Summary(tuple(map(sum, zip(*rows, strict=True))))

    def count_by_app(self, tasks: Iterable[int]) -> dict[int, list[int]]:
        """Count these tasks by app and state."""
        by_app: dict[int, list[int]] = {}
        known = len(self.state_of)
        for task in tasks:
            if task < known and (app := self.app_of[task]):
                if app not in by_app:
                    by_app[app] = [0] * len(State)
                by_app[app][self.state_of[task]] += 1
        return by_app

    def state(self, task: int) -> int:
        """Give where a task stands; a file (minus its number) stands as its writer, or is there already."""
        if task < 0:
            if -task not in self.writer_of:
                return State.DONE
            task = self.writer_of[-task]
        return self.state_of[task if task < len(self.state_of) else 0]

    def title(self, task: int) -> str:
        """Give a task's call, or the name of a file (minus its number)."""
        return self.calls[task] if task >= 0 else PurePath(self.files[-task]).name

    def app_name(self, app: int) -> str:
        """Give the name of an app."""
        return self.app_names.get(app, "files" if app == FILES else f"app {app}")

    def _number_of(self, origin: str) -> int:
        number = self._origin_numbers.setdefault(origin, len(self.origins))
        if number == len(self.origins):
            self.origins.append(origin)
        return number

    def _make_room(self, task: int) -> None:
        missing = task + 1 - len(self.state_of)
        if missing > 0:
            self.state_of.extend(bytes(missing))
            self.calls.extend([""] * missing)
            for column in (self.app_of, self.started, self.seconds, self.since, self.origin_of):
                column.extend([0] * missing)
