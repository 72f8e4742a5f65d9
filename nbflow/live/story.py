"""Own what the panel says about one task or one app, written for the browser as texts and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbflow.core.states import State
from nbflow.journal.attempts import Attempt, attempts
from nbflow.journal.reader import Reader
from nbflow.journal.rows import Detail, EventRow
from nbflow.live.cells import name_cells, origin_of
from nbflow.live.model import RunModel
from nbflow.live.scene import Scene
from nbflow.live.traceback import fold, line_in

__all__ = ["tell_app", "tell_draft", "tell_file", "tell_path", "tell_task"]

LISTED_TASKS = 50
FAILURES = frozenset(("TryFailed", "StagingFailed", "DepFailed", "Undone"))
MAX_OUTPUT_LENGTH = 20_000


def tell_task(reader: Reader, model: RunModel, task: int) -> dict[str, Any]:
    """Tell a task's story: how it stands, its tries, its failure with the traceback, what it wrote."""
    record = reader.task(task)
    history = reader.history(task)
    tries = attempts(history)
    last = tries[-1] if tries else None
    failure = None if record.state is State.DONE else _failure(history, task)
    return {
        "kind": "story",
        "task": task,
        "state": int(record.state),
        "app": record.app,
        "app_id": model.app_of[task] if task < len(model.app_of) else 0,
        "label": record.label,
        "call": record.call,
        "origin": record.origin or "",
        "submitted": record.submitted,
        "waited": last.started - record.submitted if last and last.started else None,
        "seconds": record.seconds,
        "slot": record.slot or (last.slot if last else None),
        "why": last.why if last else None,
        "cell": record.cell_id,
        "can_retry": record.state in (State.FAILED, State.CANCELLED),
        "can_cancel": not record.state.is_final,
        "failure": failure,
        "attempts": [_attempt(one) for one in tries],
        "repairs": [str(repair) for repair in reader.repairs(task)],
        "reads": [model.files[file] for file in model.read_by.get(task, ())],
        "writes": [model.files[file] for file in model.written_by.get(task, ())],
        "usage": [{"cpu_seconds": row.cpu_seconds, "nbytes": row.nbytes} for row in reader.usage(task)[-1:]],
        "outputs": [
            {"stream": row.stream, "text": row.text[-MAX_OUTPUT_LENGTH:], "nbytes": row.nbytes}
            for row in reader.outputs(task)
            if row.text
        ],
    }


def tell_draft(reader: Reader, draft: dict[str, Any]) -> dict[str, Any]:
    """Tell what can be edited of a failed task, and which cell of the notebook defines its function."""
    tracebacks = [
        detail.traceback for detail in map(_detail_of, reader.history(draft["task"])) if detail.traceback
    ]
    line = line_in(tracebacks[-1], draft["filename"]) if tracebacks else None
    origin = origin_of(draft["filename"])
    cells = {cell.origin: cell.cell_id for cell in reader.cells()} if origin else {}
    return draft | {
        "kind": "draft",
        "marked": None if line is None else line - draft["line"],
        "defined_in": origin,
        "cell": cells.get(origin or ""),
    }


def tell_app(model: RunModel, scene: Scene, app: int) -> dict[str, Any]:
    """Tell how the tasks of an app stand, and list some: those in trouble first, then those that run."""
    members = [
        task
        for task in (range(len(model.app_of)) if scene.tasks is None else sorted(scene.tasks))
        if task < len(model.app_of) and model.app_of[task] == app
    ]
    counts = model.summary(members).counts
    listed = sorted(members, key=lambda task: (_urgency(model.state_of[task]), task))[:LISTED_TASKS]
    return {
        "kind": "card",
        "app": app,
        "app_name": model.app_name(app),
        "total": len(members),
        "counts": [[state, count] for state, count in enumerate(counts) if count],
        "is_opened": app in scene.opened,
        "can_toggle": scene.can_toggle(app),
        "tasks": _listed(model, listed),
    }


def tell_file(model: RunModel, number: int) -> dict[str, Any]:
    """Tell of a file: its path, its size where this process sees it, and the tasks that write and read it."""
    path = model.files[number]
    try:
        nbytes: int | None = Path(path).stat().st_size
    except OSError:
        nbytes = None
    writer = model.writer_of.get(number)
    readers = [task for task, files in model.read_by.items() if number in files]
    return {
        "kind": "file",
        "task": -number,
        "state": model.state(-number),
        "name": model.title(-number),
        "path": path,
        "nbytes": nbytes,
        "written_by": _listed(model, [] if writer is None else [writer]),
        "read_by": _listed(model, readers[:LISTED_TASKS]),
        "readers": len(readers),
    }


def _listed(model: RunModel, tasks: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "task": task,
            "state": model.state_of[task],
            "call": model.calls[task],
            "app": model.app_of[task],
        }
        for task in tasks
    ]


def tell_path(model: RunModel, path: Sequence[int]) -> dict[str, Any]:
    """Tell of the critical path: its tasks, each with its app, and the seconds that they ran."""
    return {
        "kind": "critical",
        "tasks": [[task, model.app_of[task]] for task in path],
        "seconds": sum(model.seconds[task] for task in path),
    }


def _urgency(state: int) -> int:
    order = (
        State.FAILED,
        State.BACKOFF,
        State.HELD,
        State.PAUSED,
        State.UPSTREAM_FAILED,
        State.RUNNING,
        State.CANCELLED,
    )
    return order.index(State(state)) if state in order else len(order)


def _detail_of(event: EventRow) -> Detail:
    return Detail.from_json(event.detail)


def _failure(history: list[EventRow], task: int) -> dict[str, Any] | None:
    """Find the last failure that still holds: a retry by hand wipes out what was before it."""
    found: EventRow | None = None
    for event in history:
        if event.event in FAILURES:
            found = event
        elif event.event == "RetryRequested":
            found = None
    if found is None:
        return None
    detail = Detail.from_json(found.detail)
    return {
        "error": detail.error,
        "message": detail.message,
        "traceback": _sections(detail.traceback or ""),
        "root": detail.root if detail.root != task else None,
    }


def _sections(traceback: str) -> list[dict[str, str]]:
    return [{"text": name_cells(part.text), "title": part.title} for part in fold(traceback)]


def _attempt(one: Attempt) -> dict[str, Any]:
    ends = {
        "Returned": "returned",
        "Spawned": "returned",
        "TryFailed": "failed",
        "CancelRequested": "cancelled",
    }
    seconds = one.detail.seconds
    if seconds is None and one.started is not None and one.ended is not None:
        seconds = one.ended - one.started
    error = ": ".join(filter(None, (one.detail.error, one.detail.message)))
    end = ends.get(one.end or "", one.end) if one.end else "running"
    return {"end": end, "seconds": seconds, "slot": one.slot, "error": error}
