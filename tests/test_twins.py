"""What can be said to a live run at its control socket can be said in Python, in a cell and in a terminal."""

import inspect

import pytest

import nbflow
from nbflow import cli
from nbflow.flow.futures.handle import TaskHandle
from nbflow.flow.steering.commands import COMMANDS
from nbflow.magics.line import WORDS

TWINS = {
    # command: in Python, behind %nbflow, behind nbflow
    "status": ("load", "status", "show"),
    "tasks": ("tasks", "tasks", "ps"),
    "nodes": ("nodes", "nodes", "nodes"),
    "cancel": ("cancel", "cancel", "cancel"),
    "retry": ("retry", "retry", "retry"),
    "skip": ("skip", "skip", "skip"),
    "undo": ("undo", "undo", "undo"),
    "release": ("release", "release", "release"),
    "pause": ("pause", "pause", "pause"),
    "resume": ("resume", "resume", "resume"),
    "tail": ("events", "tail", "tail"),
    "scale": ("scale", "scale", "scale"),
    "subscribe": ("watch", "watch", "watch"),
}
OF_THE_EDITOR = {"draft", "edit"}
"""They serve the form in which a failed task is edited; `future.task.retry(fn=...)` is the same in Python."""


@pytest.mark.parametrize("command", COMMANDS.keys() - OF_THE_EDITOR)
def test_every_command_has_its_twins(command: str) -> None:
    python, magic, word = TWINS[command]
    assert callable(getattr(nbflow, python))
    assert magic in WORDS
    assert word in cli.COMMANDS


def test_the_editor_has_its_twin() -> None:
    assert {"fn", "args", "kwargs"} <= inspect.signature(TaskHandle.retry).parameters.keys()
