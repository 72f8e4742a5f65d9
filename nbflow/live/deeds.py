"""Own what the buttons of a view do to a run, and what a person is told of it."""

from __future__ import annotations

from typing import Any

from nbflow.errors import NbflowError
from nbflow.journal.reader import Reader
from nbflow.live.source import Run
from nbflow.live.story import tell_draft

__all__ = ["do", "told"]

PANEL = "the panel"
"""Who asks, for the journal."""

Message = dict[str, Any]


def do(run: Run, reader: Reader, asked: Message) -> list[Message]:
    """Do what a message of the browser asks for and return the answers; none for a message of another kind.

    Raises NbflowError for what cannot be done.
    """
    match asked:
        case {"kind": "retry", "tasks": tasks}:
            return [_reopened(run.do("retry", tasks=tasks, by=PANEL)["reopened"])]
        case {"kind": "cancel", "tasks": list(tasks)}:
            cancelled = run.do("cancel", tasks=tasks)["cancelled"]
            return [told(f"{cancelled} {'task is' if cancelled == 1 else 'tasks are'} cancelled")]
        case {"kind": "draft", "task": int(task)}:
            return [tell_draft(reader, run.do("draft", task=task))]
        case {"kind": "edit", "task": int(task), "adopt": adopt}:
            changes = {name: asked[name] for name in ("source", "arguments", "all_alike")}
            return _edit(run, task, adopt=adopt, **changes)
    return []


def told(text: str, *, is_error: bool = False) -> Message:
    """Say something below the view."""
    return {"kind": "told", "text": text, "is_error": is_error}


def _edit(run: Run, task: int, *, adopt: bool, **changes: Any) -> list[Message]:
    """Run a task again as it was edited; what is wrong with the edit is told to the editor."""
    edited = {"kind": "edited", "task": task}
    try:
        reopened, is_adopted = run.edit(task, adopt=adopt, by=PANEL, **changes)
    except NbflowError as error:
        return [edited | {"error": str(error), "is_adopted": False}]
    return [edited | {"error": "", "is_adopted": is_adopted}, _reopened(reopened)]


def _reopened(count: int) -> Message:
    again = f"{count} {'task runs' if count == 1 else 'tasks run'} again"
    return told(again if count else "nothing to retry: no failed task is left")
