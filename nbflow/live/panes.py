"""Own what the tabs beside the graph say: which is looked at, what is in it, when it is told anew.

A pane is told at most once a second, and rests much longer than it takes to make. For the feed's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any, Final, final

from nbflow.journal.reader import Reader
from nbflow.live.charts.progress import AppProgress, draw_apps
from nbflow.live.charts.resources import Resources
from nbflow.live.charts.scatter import draw_points
from nbflow.live.charts.timeline import Timeline
from nbflow.live.feed import Tick
from nbflow.live.headline import Headline
from nbflow.live.model import RunModel, Summary
from nbflow.live.rate import Rate
from nbflow.live.results import NOTHING, parameters_of, tabulate
from nbflow.postmortem.triage import FailureGroup, group_failures

__all__ = ["CHARTS", "STILL_WIDTH", "TABS", "Panes"]

CHARTS: Final = ("progress", "timeline", "resources")
TABS: Final = ("graph", "progress", "timeline", "resources", "failures", "results")

PERIOD_SECONDS = 1.0
REST_PER_WORK = 20.0
LONGEST_REST_SECONDS = 10.0
MOST_FAILURES = 2_000
LISTED_CALLS = 5
LEAST_WIDTH = 320.0
STILL_WIDTH = 900.0
"""Pixels where no browser has told how many it has."""

PADDING = 28.0
FEWEST_POINTS = 2

Message = dict[str, Any]


@final
class Panes:
    """Make the panes of one view of a run, or of some of its tasks.

    `result_of` gives the result of a task that is done, or NOTHING where it is not at hand.
    """

    def __init__(self, model: RunModel, result_of: Callable[[int], Any] = lambda _: NOTHING) -> None:
        self._model = model
        self._result_of = result_of
        self._rates: dict[int, Rate] = {}
        self._asked: Message = {"name": "graph"}
        self._is_stale = False
        self._due = 0.0

    def note(self, tick: Tick) -> None:
        """Take in that time went by, and what changed."""
        for app, counts in tick.model.by_app.items():
            if app not in self._rates:
                self._rates[app] = Rate()
            self._rates[app].note(tick.now, Summary(tuple(counts)).finished)
        self._is_stale = self._is_stale or bool(tick.changes)

    def is_due(self, now: float) -> bool:
        """Tell whether the pane that is looked at should be told anew."""
        is_moving = self._asked["name"] == "timeline" and self._model.spans.is_any_running
        return self._asked["name"] != "graph" and (self._is_stale or is_moving) and now >= self._due

    def ask(self, asked: Message) -> None:
        """Turn to a pane: its `name`, the `width` in pixels, the `span` that a chart over time shows."""
        if asked.get("name") not in TABS:
            raise ValueError(f"there is no tab {asked.get('name')!r}")
        self._asked = asked

    def tell(self, reader: Reader, wanted: Collection[int] | None, now: float) -> Message | None:
        """Return the pane that is looked at; None for the graph."""
        asked, began = self._asked, time.thread_time()
        if asked["name"] == "graph":
            return None
        self._is_stale = False
        told = self._make(reader, wanted, now, asked)
        self._asked = {key: value for key, value in asked.items() if key != "pick"}
        rest = REST_PER_WORK * (time.thread_time() - began)
        self._due = now + min(max(PERIOD_SECONDS, rest), LONGEST_REST_SECONDS)
        return told

    def draw(self, name: str, wanted: Collection[int] | None, now: float, width: float) -> str:
        """Return one of CHARTS as SVG, all of its time, for where nobody can ask for more."""
        if name == "progress":
            return draw_apps(self._apps(wanted), width)
        kind = Timeline if name == "timeline" else Resources
        return kind(self._model, wanted, width=width, now=now).draw()

    def _make(self, reader: Reader, wanted: Collection[int] | None, now: float, asked: Message) -> Message:
        width = max(LEAST_WIDTH, float(asked.get("width") or STILL_WIDTH) - PADDING)
        match asked["name"]:
            case "progress":
                content: Message = {"svg": self.draw("progress", wanted, now, width), "frame": None}
            case "timeline" | "resources" as name:
                content = self._over_time(name, wanted, now, width, asked)
            case "failures":
                content = _failures(reader, wanted)
            case "results":
                content = self._results(reader, wanted, width, asked.get("app"))
        return {"kind": "pane", "name": asked["name"], **content}

    def _apps(self, wanted: Collection[int] | None) -> list[AppProgress]:
        model = self._model
        by_app = model.by_app if wanted is None else model.count_by_app(wanted)
        apps = []
        for app, counts in by_app.items():
            summary, rate = Summary(tuple(counts)), self._rates.get(app) or Rate()
            headline = Headline(summary=summary, rate=rate.per_second(), estimate=rate.estimate(summary.left))
            apps.append(AppProgress(model.app_name(app), headline))
        return apps

    def _over_time(
        self, name: str, wanted: Collection[int] | None, now: float, width: float, asked: Message
    ) -> Message:
        kind = Timeline if name == "timeline" else Resources
        span = asked.get("span")
        window = None if span is None else (float(span[0]), float(span[1]))
        chart = kind(self._model, wanted, width=width, now=now, window=window)
        told: Message = {"svg": chart.draw(), "frame": chart.scale.to_message()}
        pick = asked.get("pick")
        if pick is not None and isinstance(chart, Timeline):
            task = chart.pick(float(pick[0]), float(pick[1]))
            told |= {"task": task, "app": self._model.app_of[task]}
        return told

    def _results(
        self, reader: Reader, wanted: Collection[int] | None, width: float, chosen: int | None
    ) -> Message:
        """Make the table of the chosen app, or of the one that has most of the tasks."""
        model = self._model
        by_app = model.by_app if wanted is None else model.count_by_app(wanted)
        most = max(by_app, key=lambda one: sum(by_app[one]), default=0)
        app = chosen if chosen in by_app else most
        tasks = range(1, len(model.app_of)) if wanted is None else sorted(wanted)
        rows = [
            (task, model.state_of[task], model.calls[task], model.seconds[task])
            for task in tasks
            if task < len(model.app_of) and model.app_of[task] == app
        ]
        (source,) = [row.source for row in reader.apps() if row.app == app] or [None]
        table = tabulate(rows, parameters_of(source), self._result_of)
        points = table.points()
        return {
            "app": app,
            "apps": [[one, model.app_name(one), sum(counts)] for one, counts in by_app.items()],
            "columns": table.columns,
            "rows": [asdict(row) for row in table.rows],
            "left_out": len(rows) - len(table.rows),
            "svg": draw_points(*points, width) if points and len(points[2]) >= FEWEST_POINTS else "",
        }


def _failures(reader: Reader, wanted: Collection[int] | None) -> Message:
    failed, blocked = (
        [
            record
            for record in reader.tasks(state=state, limit=MOST_FAILURES, newest_first=True)
            if wanted is None or record.task in wanted
        ]
        for state in ("failed", "upstream_failed")
    )
    groups = group_failures(reversed(failed), reader.last_failures(), blocked)
    return {"groups": [_told(group) for group in groups]}


def _told(group: FailureGroup) -> Message:
    """Write a group for the browser: the calls of its first tasks only, the numbers of all."""
    calls = [one.call for one in group.tasks[:LISTED_CALLS]]
    return group.to_values() | {"app": group.tasks[0].app, "calls": calls}
