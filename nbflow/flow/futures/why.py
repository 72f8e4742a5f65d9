"""Own how an answer to `future.task.why()` shows: as lines, with what was removed and added in colour."""

from __future__ import annotations

import html
from typing import final

__all__ = ["Why"]

_COLOURS = {"-": "var(--jp-error-color1, #b3261e)", "+": "var(--jp-success-color1, #1b7f3b)"}
"""The sign stays in the text: nobody needs to tell the colours apart."""


@final
class Why(str):
    """Be a text that a notebook shows as it reads, not as a quoted string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{chr(10).join(map(_line, self.splitlines()))}</pre>"


def _line(line: str) -> str:
    text = html.escape(line)
    colour = _COLOURS.get(line[4:5]) if line.startswith("    ") else None
    return text if colour is None else f'<span style="color: {colour}">{text}</span>'
