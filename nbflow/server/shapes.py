"""Own the JSON of a run's parts, as openapi.json describes it. It finds no run, and answers no request."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from nbflow.core.states import State
from nbflow.journal.reader import Reader
from nbflow.journal.rows import EventRow
from nbflow.journal.runs import RunInfo
from nbflow.postmortem.triage import FailureGroup, read_groups

__all__ = [
    "by_state",
    "cells",
    "events",
    "failures",
    "graph",
    "news",
    "output",
    "run_values",
    "story",
    "tasks",
]

NAMED_TASKS = 100
STEERED_TASKS = 4000
"""So many numbers fit into the body of one command."""
_RUN = ("run", "status", "started", "ended", "outcome", "program", "host", "pid", "problem")


def by_state(counts: Counter[State]) -> dict[str, int]:
    """Count the tasks in each state that has some."""
    return {state.name.lower(): counts[state] for state in State if counts[state]}


def run_values(info: RunInfo, counts: Counter[State]) -> dict[str, Any]:
    """Describe a run as a whole."""
    return {key: getattr(info, key) for key in _RUN} | {"path": str(info.path), "tasks": by_state(counts)}


def events(reader: Reader, since: int | None, limit: int) -> dict[str, Any]:
    """List events after number `since`, or the last ones."""
    first = max(0, reader.last_seq() - limit) if since is None else since
    rows = reader.events(first, limit)
    return {"seq": rows[-1].seq if rows else first, "events": [_event(row) for row in rows]}


def news(reader: Reader, since: int, limit: int) -> dict[str, Any]:
    """Say what happened after event number `since`, and how many tasks are in each state now."""
    told = events(reader, since, limit)
    return told | {"tasks": by_state(reader.counts())}


def tasks(reader: Reader, state: str | None, app: str | None, limit: int) -> dict[str, Any]:
    """List tasks, newest first."""
    table = reader.tasks(state=state, app=app, limit=limit, newest_first=True)
    return {"tasks": [record.to_values() for record in table]}


def story(reader: Reader, task: int) -> dict[str, Any]:
    """Tell all about one task."""
    record = reader.task(task)
    app = next((row for row in reader.apps() if row.name == record.app), None)
    edges = reader.edges_of(task)
    return {
        "task": record.to_values(),
        "source": None if app is None else app.source,
        "line": None if app is None else app.line,
        "attempts": [asdict(attempt) for attempt in reader.attempts(task)],
        "repairs": [str(repair) for repair in reader.repairs(task)],
        "parents": [edge.parent for edge in edges if edge.child == task],
        "children": [edge.child for edge in edges if edge.parent == task],
    }


def output(reader: Reader, task: int) -> dict[str, Any]:
    """Give what the tries of a task wrote."""
    reader.task(task)
    return {"outputs": [row._asdict() for row in reader.outputs(task)]}


def graph(reader: Reader, since: int, limit: int) -> dict[str, Any]:
    """Give tasks after event number `since` with the edges that end at them."""
    rows = reader.submitted(since, limit + 1)
    shown = rows[:limit]
    given = {row.task for row in shown}
    keys = ("task", "seq", "app", "label", "spawner", "origin")
    states = {row.task: State(row.state).name.lower() for row in shown}
    return {
        "seq": shown[-1].seq if shown else since,
        "more": len(rows) > limit,
        "apps": [{"app": row.app, "name": row.name, "kind": row.kind} for row in reader.apps()],
        "tasks": [{key: getattr(row, key) for key in keys} | {"state": states[row.task]} for row in shown],
        "edges": [[edge.parent, edge.child] for edge in reader.edges() if edge.child in given],
    }


def failures(reader: Reader) -> dict[str, Any]:
    """Group failed tasks as `nbflow.failures()` does, each group with what helps; the largest first."""
    return {"groups": [_group(reader, found) for found in read_groups(reader)]}


def _group(reader: Reader, found: FailureGroup) -> dict[str, Any]:
    tries = reader.attempts(found.numbers[0])
    return found.to_values() | {
        "count": len(found.tasks),
        "tasks": found.numbers[:STEERED_TASKS],
        "call": found.tasks[0].call,
        "traceback": tries[-1].detail.traceback if tries else None,
    }


def cells(reader: Reader) -> dict[str, Any]:
    """List the notebook cells that were run, with their tasks."""
    counts, numbers = reader.counts_by("origin"), reader.made_at(NAMED_TASKS)
    return {
        "cells": [
            cell._asdict()
            | {
                "tasks": by_state(counts.get(cell.origin, Counter())),
                "numbers": numbers.get(cell.origin, []),
            }
            for cell in reader.cells()
        ]
    }


def _event(row: EventRow) -> dict[str, Any]:
    """Sort out an event; a traceback, which may be long, is left to whoever asks for its task."""
    detail = None if row.detail is None else json.loads(row.detail)
    if detail is not None:
        detail.pop("traceback", None)
    return row._asdict() | {"state": State(row.state).name.lower(), "detail": detail}
