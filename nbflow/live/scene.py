"""Own the marks of a graph view: a dot for each task, or a card for each app once there are too many. Pure.

A scene follows a `RunModel` change by change, and says after each what a picture of it has to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from nbflow.journal.rows import ARGUMENT, EdgeRow
from nbflow.live.arrange import Arrangement, arrange
from nbflow.live.focus import Focus
from nbflow.live.layers import Layers
from nbflow.live.model import FILES, SPAWNED, Changes, RunModel

__all__ = ["FOLD_ABOVE", "MOST_MARKS", "Mark", "Scene", "Update"]

FOLD_ABOVE = 2_000
"""With more tasks than this, apps are folded into cards."""

MOST_MARKS = 10_000
"""Apps are opened up to this many marks."""


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """Be one mark: the task that it stands for, or 0 for a card, which stands for all tasks of its app.

    A file has its number, negative, in place of a task.
    """

    task: int
    app: int


@final
@dataclass(frozen=True, slots=True)
class Update:
    """Say what a picture has to change. `is_new` drops all that it showed before.

    `marks` and `edges` (pairs of mark numbers) are appended; `touched` are marks with a new state;
    `arrangement` is None while nothing moved.
    """

    is_new: bool
    marks: Sequence[Mark]
    edges: Sequence[tuple[int, int]]
    touched: Sequence[int]
    arrangement: Arrangement | None

    def __bool__(self) -> bool:
        return self.is_new or bool(self.marks or self.edges or self.touched)


@final
class Scene:
    """Keep marks, edges and places of one view of a run; `wanted` limits it to tasks and what they need."""

    def __init__(
        self, model: RunModel, wanted: Iterable[int] | None = None, *, fold_above: int = FOLD_ABOVE
    ) -> None:
        self._model = model
        self._focus = None if wanted is None else Focus(wanted)
        self._fold_above = fold_above
        self._opened: set[int] = set()
        self._shows_files = False
        self._is_folded = False
        self._reset()
        if self._focus is not None:
            self._focus.widen(model.everything().edges)
        self._is_stale = True

    @property
    def is_folded(self) -> bool:
        """Tell whether there are cards."""
        return self._is_folded

    @property
    def tasks(self) -> set[int] | None:
        """Give the tasks that the scene is about; None for all of the run."""
        return None if self._focus is None else self._focus.tasks

    @property
    def opened(self) -> frozenset[int]:
        """Give the apps whose tasks are shown one by one although the scene is folded."""
        return frozenset(self._opened)

    @property
    def shows_files(self) -> bool:
        """Tell whether files stand between the tasks that are shown one by one."""
        return self._shows_files

    def show_files(self, *, are_shown: bool) -> None:
        """Show files, or no more; not with more marks than can be drawn."""
        can_be = len(self.marks) + len(self._model.files) <= MOST_MARKS
        self._shows_files, self._is_stale = are_shown and can_be, True

    def follow(self, changes: Changes) -> Update:
        """Take in what changed in the model and say what changes in the picture."""
        if self._focus is not None and not self._focus.widen(changes.edges).issubset(changes.tasks):
            self._is_stale = True  # older tasks came in
        if not self._is_folded and self._task_count() > self._fold_above:
            self._is_folded = self._is_stale = True
        if self._is_stale:
            return self.whole()
        first_mark, first_edge = len(self.marks), len(self.edges)
        touched = self._add(changes)
        has_grown = len(self.marks) > first_mark or len(self.edges) > first_edge
        if has_grown:
            self._arrange()
        return Update(
            is_new=False,
            marks=self.marks[first_mark:],
            edges=self.edges[first_edge:],
            touched=sorted(mark for mark in touched if mark < first_mark),
            arrangement=self.arrangement if has_grown else None,
        )

    def whole(self) -> Update:
        """Give everything, as for a picture that is empty."""
        if self._is_stale:
            self._reset()
            self._is_folded = self._is_folded or self._task_count() > self._fold_above
            self._add(self._model.everything())
            self._arrange()
            self._is_stale = False
        return Update(
            is_new=True, marks=self.marks, edges=self.edges, touched=(), arrangement=self.arrangement
        )

    def forget(self) -> None:
        """Begin anew with the next change: the picture missed some."""
        self._is_stale = True

    def can_toggle(self, app: int) -> bool:
        """Tell whether the card of an app can be opened or closed: not with more tasks than can be drawn."""
        return app in self._opened or len(self.marks) - 1 + sum(self._model.by_app.get(app, ())) <= MOST_MARKS

    def toggle(self, app: int) -> None:
        """Open the card of an app, or close it again, where that can be."""
        if self.can_toggle(app):
            self._opened ^= {app}
            self._is_stale = True

    def card_counts(self, marks: Iterable[int]) -> dict[int, Sequence[int]]:
        """Count by state the tasks behind each of these marks that is a card."""
        cards = {mark: self.marks[mark].app for mark in marks if self.marks[mark].task == 0}
        if not cards:
            return {}
        by_app = self._model.by_app if self._focus is None else self._model.count_by_app(self._focus.tasks)
        return {mark: by_app[app] for mark, app in cards.items()}

    def _reset(self) -> None:
        self.marks: list[Mark] = []
        self.edges: list[tuple[int, int]] = []
        self._layers = Layers()
        self._mark_of_task: dict[int, int] = {}
        self._mark_of_app: dict[int, int] = {}
        self._mark_of_file: dict[int, int] = {}
        self._linked: set[tuple[int, int, int]] = set()
        self._drawn: set[tuple[int, int]] = set()
        self.arrangement = arrange([], [], [])

    def _add(self, changes: Changes) -> set[int]:
        """Add marks and edges; give the marks whose tasks changed."""
        wanted = None if self._focus is None else self._focus.tasks
        touched: set[int] = set()
        for task in changes.tasks:
            if wanted is None or task in wanted:
                touched.add(self._place_with_files(task) if self._shows_files else self._place(task))
        fed = {edge.child for edge in changes.edges if edge.kind == ARGUMENT}
        for edge in changes.edges:
            self._link(edge, is_hidden=(edge.kind == SPAWNED and edge.child in fed) or self._is_by_file(edge))
        for task in changes.states:
            mark = self._mark(task)
            if mark is not None:
                touched.add(mark)
            if self._shows_files:
                written = self._model.written_by.get(task, ())
                touched.update(self._mark_of_file[file] for file in written if file in self._mark_of_file)
        return touched

    def _place_with_files(self, task: int) -> int:
        """Place what a task reads in front of it, and what it writes behind it."""
        if self._is_folded and self._model.app_of[task] not in self._opened:
            return self._place(task)
        read = [self._place_file(file) for file in self._model.read_by.get(task, ())]
        mark = self._place(task)
        for file in read:
            self._join(file, mark)
        for number in self._model.written_by.get(task, ()):
            self._join(mark, self._place_file(number))
        return mark

    def _place_file(self, number: int) -> int:
        mark = self._mark_of_file.get(number)
        if mark is None:
            mark = self._mark_of_file[number] = self._new_mark(Mark(-number, FILES))
        return mark

    def _join(self, parent: int, child: int) -> None:
        self._layers.link(parent, child)
        if (parent, child) not in self._drawn:
            self._drawn.add((parent, child))
            self.edges.append((parent, child))

    def _is_by_file(self, edge: EdgeRow) -> bool:
        """Tell whether the edge goes through a file that stands between its ends."""
        if not self._shows_files or edge.kind != ARGUMENT:
            return False
        read = self._model.read_by.get(edge.child, ())
        return any(
            file in read and file in self._mark_of_file
            for file in self._model.written_by.get(edge.parent, ())
        )

    def _place(self, task: int) -> int:
        app = self._model.app_of[task]
        if self._is_folded and app not in self._opened:
            mark = self._mark_of_app.get(app)
            if mark is None:
                mark = self._mark_of_app[app] = self._new_mark(Mark(0, app))
            return mark
        mark = self._mark_of_task[task] = self._new_mark(Mark(task, app))
        return mark

    def _new_mark(self, mark: Mark) -> int:
        self.marks.append(mark)
        return self._layers.add()

    def _mark(self, task: int) -> int | None:
        mark = self._mark_of_task.get(task)
        if mark is None and self._is_folded and (self._focus is None or task in self._focus.tasks):
            mark = self._mark_of_app.get(self._app_of(task))
        return mark

    def _link(self, edge: EdgeRow, *, is_hidden: bool) -> None:
        parent, child = self._mark(edge.parent), self._mark(edge.child)
        if parent is None or child is None or parent == child:
            return
        if (parent, child, edge.kind) not in self._linked:
            self._linked.add((parent, child, edge.kind))
            self._order(parent, child, edge.kind)
        parent, child = _forward(parent, child, edge.kind)
        if not is_hidden and (parent, child) not in self._drawn:
            self._drawn.add((parent, child))
            self.edges.append((parent, child))

    def _order(self, parent: int, child: int, kind: int) -> None:
        if kind == ARGUMENT or child < parent:
            self._layers.link(*_forward(parent, child, kind))
        else:
            self._layers.spawn(parent, child)

    def _arrange(self) -> None:
        self.arrangement = arrange(
            self._layers.of,
            [mark.app for mark in self.marks],
            [mark.task == 0 for mark in self.marks],
            rows=self.arrangement.rows,
        )

    def _app_of(self, task: int) -> int:
        return self._model.app_of[task] if task < len(self._model.app_of) else 0

    def _task_count(self) -> int:
        return self._model.summary().total if self._focus is None else len(self._focus.tasks)


def _forward(parent: int, child: int, kind: int) -> tuple[int, int]:
    """Turn the edge of a join around that returned what others had made before it."""
    return (child, parent) if kind != ARGUMENT and child < parent else (parent, child)
