"""Own the report of a run: one HTML file that needs nothing else, to keep or to send to somebody.

It runs no script, and says so to the browser: whatever stands in names, outputs and tracebacks stays text.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from nbflow._version import __version__
from nbflow.core.durations import in_words
from nbflow.core.states import State
from nbflow.journal.follower import Follower
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.runs import RunInfo, RunStatus
from nbflow.journal.table import TaskRecord
from nbflow.live.esm import read_style
from nbflow.live.headline import Headline, Tally
from nbflow.live.model import RunModel
from nbflow.live.palette import look_of
from nbflow.live.panes import CHARTS, Panes
from nbflow.live.picture import draw_run
from nbflow.live.scene import Scene
from nbflow.live.source import flush_journal
from nbflow.live.traceback import fold
from nbflow.postmortem.triage import FailureGroup, group_failures

__all__ = ["report", "write_report"]

MOST_TASKS = 1_000
MOST_FAILURES = 5_000
MOST_CAUSES = 50
WIDTH = 1_000.0
UNTOLD = frozenset(("control", "process_started", "run", "started"))
"""What a run notes for this machine alone, or what the report's head tells."""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>{style}</style></head><body><main>{body}</main></body></html>
"""


def report(path: Path | str = "run.html", run: Path | str | None = None) -> Path:
    """Write the report of a run as one HTML file and return its path.

    `run` is a run's name or the start of it, or `last`; without one it is the current run, or the last when
    none is loaded. Raises JournalError when there is no such run, OSError where the file cannot be written.
    """
    flush_journal()
    return write_report(_current() if run is None else run, Path(path))


def write_report(run: Path | str, path: Path) -> Path:
    """Write the report of a run, finished or not, to a path."""
    with open_run(run) as reader, Follower(reader.address) as follower:
        info = reader.info()
        model = RunModel()
        model.take(follower.news())
        page = _page(reader, info, model)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _current() -> Path | str:
    from nbflow.flow import current

    return current.current().journal.address if current.is_loaded() else "last"


def _page(reader: Reader, info: RunInfo, model: RunModel) -> str:
    is_over = info.status in (RunStatus.ENDED, RunStatus.DIED)
    now = time.time() if info.status is RunStatus.RUNNING else max(model.latest, info.ended or 0.0)
    changes = model.drain()
    scene = Scene(model)
    scene.follow(changes)
    headline = Tally().sum_up(model, now=now, is_over=is_over)
    panes = Panes(model)

    failed = reader.tasks(state=State.FAILED, limit=MOST_FAILURES)
    blocked = reader.tasks(state=State.UPSTREAM_FAILED, limit=MOST_FAILURES)
    causes = group_failures(failed, reader.last_failures(), blocked)
    parts = [
        _head(info),
        draw_run(scene, model, headline),
        *([_titled("Failures", _failures(reader, causes))] if causes else []),
        *(_titled(name.capitalize(), panes.draw(name, None, now, WIDTH)) for name in CHARTS),
        _titled("Tasks", _tasks(reader, headline)),
        _titled("Environment", _environment(info)),
    ]
    return PAGE.format(
        title=escape(f"nbflow run {info.run}"), style=read_style("report.css"), body="\n".join(parts)
    )


def _titled(title: str, content: str) -> str:
    return f"<h2>{title}</h2>\n{content}"


def _head(info: RunInfo) -> str:
    started = time.strftime("%d %b %Y, %H:%M:%S", time.localtime(info.started))
    took = "" if info.ended is None else f", {in_words(info.ended - info.started)}"
    about = " · ".join(filter(None, (f"{info.status}{took}", f"started {started}", info.program, info.host)))
    return f'<h1>Run {escape(info.run)}</h1><p class="muted">{escape(about)}</p>'


def _failures(reader: Reader, causes: list[FailureGroup]) -> str:
    shown = "".join(_cause(reader, cause) for cause in causes[:MOST_CAUSES])
    left = len(causes) - MOST_CAUSES
    return shown + (f'<p class="muted">and {left:,} more causes</p>' if left > 0 else "")


def _cause(reader: Reader, cause: FailureGroup) -> str:
    first = cause.tasks[0]
    tries = [one.detail.traceback for one in reader.attempts(first.task) if one.detail.traceback]
    waits = f", {cause.blocked:,} more wait for them" if cause.blocked else ""
    count = f"{len(cause.tasks):,} {'task' if len(cause.tasks) == 1 else 'tasks'}{waits}; the first is task "
    return (
        f'<section class="cause"><h3>{escape(first.app)} · {escape(cause.error or "failed")}</h3>'
        f"<p>{escape(cause.message)}</p>"
        f'<p class="muted">{escape(cause.reason)}, at {escape(cause.place)}</p>'
        f'<p class="muted">{count}{first.task}: {escape(first.call)}</p>'
        f"{_traceback(tries[-1]) if tries else ''}{_outputs(reader, first.task)}</section>"
    )


def _traceback(text: str) -> str:
    return "".join(
        f"<details><summary>{escape(part.title)}</summary><pre>{escape(part.text)}</pre></details>"
        if part.title
        else f"<pre>{escape(part.text)}</pre>"
        for part in fold(text)
    )


def _outputs(reader: Reader, task: int) -> str:
    return "".join(
        f"<details><summary>{escape(row.stream)}</summary><pre>{escape(row.text)}</pre></details>"
        for row in reader.outputs(task)
        if row.text
    )


def _tasks(reader: Reader, headline: Headline) -> str:
    total = headline.summary.total
    rows = [_row(record) for record in reader.tasks(limit=MOST_TASKS)]
    more = f'<p class="muted">and {total - len(rows):,} more</p>' if total > len(rows) else ""
    head = "<tr><th>task</th><th>call</th><th>state</th><th>seconds</th><th>on</th><th>called in</th></tr>"
    table = f"<table>{head}{''.join(rows)}</table>"
    return f"<details><summary>{len(rows):,} of {total:,}</summary>{table}</details>{more}"


def _row(record: TaskRecord) -> str:
    look = look_of(record.state)
    seconds = "" if record.seconds is None else f"{record.seconds:.3f}"
    cells = (str(record.task), record.call, f"{look.icon} {look.word}", seconds, record.slot, record.origin)
    return _cells(cells)


def _environment(info: RunInfo) -> str:
    known: dict[str, Any] = {name: value for name, value in info.info.items() if name not in UNTOLD}
    known |= {
        "journal": info.path,
        "report written": time.strftime("%d %b %Y, %H:%M:%S"),
        "written with": f"nbflow {__version__}, Python {platform.python_version()}, {platform.system()}",
    }
    return f"<table>{''.join(_cells((name, str(value))) for name, value in known.items())}</table>"


def _cells(cells: Iterable[str | None]) -> str:
    written = "".join(f"<td>{escape(cell or '')}</td>" for cell in cells)
    return f"<tr>{written}</tr>"
