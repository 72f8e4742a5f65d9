"""Own how commands write: JSON for programs, aligned lines for people."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

from nbflow.core.states import State
from nbflow.journal.runs import RunInfo, RunStatus

__all__ = [
    "by_state",
    "clock",
    "counted",
    "exit_code",
    "json_of",
    "run_values",
    "status_of",
    "took",
]

FAILED = (State.FAILED, State.UPSTREAM_FAILED)


def json_of(value: Any) -> str:
    """Write `value` as indented JSON."""
    return json.dumps(value, indent=2, default=str)


def clock(moment: float | None, form: str = "%H:%M:%S") -> str:
    """Write a time for people, in their time zone."""
    return "" if moment is None else time.strftime(form, time.localtime(moment))


def took(seconds: float | None) -> str:
    """Write a duration with about three digits."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def counted(counts: Counter[State]) -> str:
    """Write how many tasks are in each state."""
    told = [f"{counts[state]} {state.name.lower().replace('_', ' ')}" for state in State if counts[state]]
    return ", ".join(told) or "no tasks"


def status_of(run: RunInfo) -> str:
    """Say in a word or two how a run stands."""
    return run.outcome if run.status is RunStatus.ENDED and run.outcome else str(run.status)


def exit_code(counts: Counter[State]) -> int:
    """Give the exit code for a run with such tasks: 1 when some failed."""
    return int(any(counts[state] for state in FAILED))


def by_state(counts: Counter[State]) -> dict[str, int]:
    """Sort out counts of tasks for JSON."""
    return {state.name.lower(): counts[state] for state in State if counts[state]}


def run_values(run: RunInfo, counts: Counter[State]) -> dict[str, Any]:
    """Sort out a run for JSON."""
    values = {field.name: getattr(run, field.name) for field in fields(run)}
    path = run.path.as_posix() if isinstance(run.path, Path) else run.path
    return values | {
        "path": path,
        "tasks": by_state(counts),
    }
