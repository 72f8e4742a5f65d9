"""Own the messages from a graph view to the browser: JSON for texts, flat arrays for all that is per mark."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from nbflow.live.model import RunModel
from nbflow.live.scene import Scene, Update

__all__ = ["Frame", "encode"]

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
    tasks = [scene.marks[mark].task for mark in marks]
    arrangement = update.arrangement
    content = {
        "first": first,
        "is_new": update.is_new,
        "is_folded": scene.is_folded,
        "apps": {mark.app: model.app_name(mark.app) for mark in update.marks},
        "calls": [model.calls[mark.task] for mark in update.marks],
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
        array("i", marks).tobytes(),
        bytes(model.state_of[task] for task in tasks),
        array("d", [model.started[task] for task in tasks]).tobytes(),
        array("f", [model.seconds[task] for task in tasks]).tobytes(),
    ]
    return content, buffers


def _pairs(code: str, pairs: Sequence[tuple[float, float]]) -> bytes:
    return array(code, [value for pair in pairs for value in pair]).tobytes()
