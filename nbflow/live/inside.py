"""Own what the panel shows of a failure's record: its frames with their lines and variables, as texts."""

from __future__ import annotations

from typing import Any

from nbflow.live.cells import origin_of
from nbflow.postmortem.capsule import Capsule
from nbflow.wire.capsule import Moment

__all__ = ["tell_inside"]

LINES_AROUND = 5
MOST_VARIABLES = 60


def tell_inside(capsule: Capsule) -> dict[str, Any]:
    """Tell of a failure's frames, the one that raised first. Raises NoCapsule when nobody saw them."""
    evidence = capsule.evidence
    return {
        "kind": "inside",
        "run": capsule.call.run,
        "task": capsule.call.task,
        "app": capsule.call.app,
        "where": f"{evidence.host}, {evidence.directory}",
        "frames": [_frame(moment) for moment in reversed(evidence.frames)],
    }


def _frame(moment: Moment) -> dict[str, Any]:
    """Tell of one frame: `lines` are the numbered lines around the one that it stood at, `marked`."""
    numbered = list(enumerate(moment.source.splitlines(), moment.first_line))
    return {
        "title": f"{moment.function}, {origin_of(moment.filename) or moment.filename}",
        "marked": moment.line,
        "lines": [[number, text] for number, text in numbered if abs(number - moment.line) <= LINES_AROUND],
        "variables": [[one.name, one.text] for one in moment.variables[:MOST_VARIABLES]],
    }
