"""Own the messages from a graph view to the browser: JSON for texts, flat arrays for all that is per mark."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from nbflow.core.states import State
from nbflow.live.model import RunModel
from nbflow.live.scene import Scene, Update

__all__ = ["Frame", "encode", "encode_past"]

Frame = tuple[dict[str, Any], list[bytes]]
"""A message and its buffers."""


def encode(update: Update, scene: Scene, model: RunModel) -> Frame:
    """Write an update as one message.

    Buffers: task and app of each new mark (int32 pairs), new edges (int32 pairs), place of every mark
    (float32 pairs, empty when nothing moved), then for each mark that is new or changed its number (int32),
    state (uint8), start (float64, seconds since the epoch) and run time (float32, seconds).
    """
    first = 0 if update.is_new else len(scene.marks) - len(update.marks)
    marks = [*range(first, first + len(update.marks)), *update.touched]
    arrangement = update.arrangement
    content = {
        "first": first,
        "is_new": update.is_new,
        "is_folded": scene.is_folded,
        "apps": {mark.app: model.app_name(mark.app) for mark in update.marks},
        "has_files": len(model.files) > 1,
        "shows_files": scene.shows_files,
        "calls": [model.title(mark.task) for mark in update.marks],
        "called_in": [model.origins[model.origin_of[max(0, mark.task)]] for mark in update.marks],
        "cards": {mark: list(counts) for mark, counts in scene.card_counts(marks).items()},
    }
    if arrangement is not None:
        content["blocks"] = [
            [block.app, block.x, block.y, block.width, block.height, block.count, block.is_card]
            for block in arrangement.blocks
        ]
    buffers = [
        _pairs("i", [(mark.task, mark.app) for mark in update.marks]),
        _pairs("i", update.edges),
        b"" if arrangement is None else _pairs("f", list(zip(arrangement.x, arrangement.y, strict=True))),
        *_standing(marks, [scene.marks[mark].task for mark in marks], model),
    ]
    return content, buffers


def encode_past(past: RunModel, scene: Scene) -> Frame:
    """Write how each mark stood in the past, as a message like those of `encode`: nothing moves by it."""
    count, known = len(scene.marks), len(past.state_of)
    tasks = [mark.task if mark.task < known else 0 for mark in scene.marks]
    by_app = past.by_app if scene.tasks is None else past.count_by_app(scene.tasks)
    nobody = [0] * len(State)
    content = {
        "first": count,
        "is_new": False,
        "is_folded": scene.is_folded,
        "has_files": len(past.files) > 1,
        "shows_files": scene.shows_files,
        "apps": {},
        "calls": [],
        "called_in": [],
        "cards": {
            number: list(by_app.get(mark.app, nobody))
            for number, mark in enumerate(scene.marks)
            if mark.task == 0
        },
    }
    return content, [b"", b"", b"", *_standing(range(count), tasks, past)]


def _standing(marks: Iterable[int], tasks: Sequence[int], model: RunModel) -> list[bytes]:
    return [
        array("i", marks).tobytes(),
        bytes(map(model.state, tasks)),
        array("d", [model.started[max(0, task)] for task in tasks]).tobytes(),
        array("f", [model.seconds[max(0, task)] for task in tasks]).tobytes(),
    ]


def _pairs(code: str, pairs: Sequence[tuple[float, float]]) -> bytes:
    return array(code, [value for pair in pairs for value in pair]).tobytes()
