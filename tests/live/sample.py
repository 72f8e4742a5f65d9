"""Journals made by hand: what a view would see of a run, without a run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from nbflow.core.states import State
from nbflow.errors import ControlError, NoCapsule
from nbflow.journal.rows import ARGUMENT, JOIN_CHILD, AppRow, Detail, EdgeRow, EventRow, OutputRow, TaskRow
from nbflow.journal.writer import Journal
from nbflow.live.results import NOTHING

TRACEBACK = """Traceback (most recent call last):
  File "<cell 3>", line 4, in train
    model.fit(images[train], labels[train])
  File "model.py", line 112, in fit
    raise ValueError(f"depth must be positive, not {depth}")
ValueError: depth must be positive, not 0
"""


DRAFT = {"task": 0, "name": "train", "source": "def train(): ...\n", "filename": "<cell 3>", "line": 2}


class SampleRun:
    """A run that happens only in its journal. Times are given, or are now."""

    def __init__(self, name: str = "sample", journal: Any = None) -> None:
        self.journal = journal or Journal.create(name, info={})
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.results: dict[int, Any] = {}
        self._seq = count(1)
        self._next_task = count(1)
        self._apps: dict[str, int] = {}
        self._apps_of: dict[int, str] = {}
        self._tries: dict[int, int] = {}

    @property
    def address(self) -> Path | str:
        return self.journal.address

    def tasks_of(self, futures: Iterable[Any]) -> set[int]:
        return set(futures)

    def result_of(self, task: int) -> Any:
        return self.results.get(task, NOTHING)

    def why_remembered(self, task: int) -> str | None:
        return None

    def capsule(self, task: int) -> Any:
        raise NoCapsule(f"task {task} left no record")

    def do(self, command: str, **arguments: Any) -> Any:
        self.done.append((command, arguments))
        if command == "draft":
            return {**DRAFT, **arguments}
        tasks = arguments["tasks"]
        return {"reopened" if command == "retry" else "cancelled": 1 if tasks is None else len(tasks)}

    def edit(self, task: int, *, adopt: bool, **changes: Any) -> tuple[int, bool]:
        if changes["source"] == "def":
            raise ControlError("task was not run again: invalid syntax")
        self.done.append(("edit", {"task": task, **changes}))
        return 2, adopt

    def submit(
        self,
        app: str,
        parents: Sequence[int] = (),
        *,
        call: str = "",
        spawner: int | None = None,
        at: float | None = None,
    ) -> int:
        task = next(self._next_task)
        self._apps_of[task] = app
        state = State.WAITING if parents else State.QUEUED
        self.journal.tasks.append(
            TaskRow(
                task,
                next(self._seq),
                _time(at),
                self._app(app),
                "",
                call or f"{app}({task})",
                state,
                spawner,
                "In [3]",
            )
        )
        self.journal.edges.extend(EdgeRow(parent, task, ARGUMENT) for parent in parents)
        self._tries[task] = 1
        return task

    def join(self, parent: int, children: Iterable[int]) -> None:
        self.journal.edges.extend(EdgeRow(parent, child, JOIN_CHILD) for child in children)

    def happen(
        self, task: int, event: str, state: State, detail: Detail | None = None, *, at: float | None = None
    ) -> None:
        text = None if detail is None else detail.to_json()
        self.journal.events.append(
            EventRow(next(self._seq), _time(at), task, self._tries[task], event, state, text)
        )

    def start(self, task: int, *, slot: str = "processes/1", at: float | None = None) -> None:
        self.happen(task, "Dispatched", State.RUNNING, Detail(slot=slot), at=at)

    def finish(self, task: int, *, seconds: float = 0.5, at: float | None = None) -> None:
        self.happen(task, "Returned", State.DONE, Detail(seconds=seconds), at=at)

    def fail(
        self, task: int, *, message: str = "depth must be positive, not 0", seconds: float = 0.2
    ) -> None:
        detail = Detail(
            error="ValueError", message=message, traceback=TRACEBACK, cause="raised", seconds=seconds
        )
        self.happen(task, "TryFailed", State.FAILED, detail)

    def block(self, task: int, root: int) -> None:
        self.happen(task, "DepFailed", State.UPSTREAM_FAILED, Detail(root=root, error="ValueError"))

    def print(self, task: int, text: str, stream: str = "stdout") -> None:
        self.journal.outputs.append(OutputRow(task, self._tries[task], stream, text, len(text)))

    def publish(self) -> None:
        self.journal.commit()
        assert self.journal.flush()

    def close(self) -> None:
        self.journal.close("closed")

    def _app(self, name: str) -> int:
        if name not in self._apps:
            self._apps[name] = len(self._apps) + 1
            self.journal.apps.append(AppRow(self._apps[name], name, "python", "__main__", None, None))
        return self._apps[name]


def _time(at: float | None) -> float:
    return time.time() if at is None else at


def grid_search(run: SampleRun, width: int = 24) -> list[int]:
    """Submit a small search: split, train and score a grid, a best of it, a plot."""
    load = run.submit("load_digits", call="load_digits()")
    split = run.submit("split", [load], call="split(load_digits(), seed=0)")
    trained = [
        run.submit("train", [split], call=f"train(split, depth={i % 6}, trees={10 * (i // 6 + 1)})")
        for i in range(width)
    ]
    scored = [run.submit("score", [one, split], call=f"score(model_{i})") for i, one in enumerate(trained)]
    best = run.submit("best", scored, call="best([...])")
    report = run.submit("report", [best], call="report(best, 'digits.csv')")
    plot = run.submit("plot", [best], call="plot(best)")
    return [load, split, *trained, *scored, best, report, plot]
