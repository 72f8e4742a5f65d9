"""Own the transition table as the text of a picture."""

from __future__ import annotations

from nbflow.core.events import CancelRequested, Paused, Resumed, Undone
from nbflow.core.states import State
from nbflow.core.transitions import TABLE, stay, while_paused

__all__ = ["diagram"]


def diagram() -> str:
    """Return the table as a Mermaid state diagram; what can happen in any state is left to the text."""
    aside = {CancelRequested, Paused, Resumed, Undone}
    lines = ["stateDiagram-v2", "    [*] --> NEW"]
    arrows: dict[tuple[State, State], list[str]] = {}
    for row in TABLE:
        if row.event in aside or row.rule in (stay, while_paused):
            continue
        for state in row.states:
            for target in row.targets:
                arrows.setdefault((state, target), []).append(row.event.__name__)
    for (state, target), events in arrows.items():
        lines.append(f"    {state.name} --> {target.name}: {', '.join(events)}")
    return "\n".join(lines) + "\n"
