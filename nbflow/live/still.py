"""Own the still picture beside a live view: what a saved notebook shows when no kernel stands behind it."""

from __future__ import annotations

from typing import Any, final

from IPython.display import DisplayHandle

__all__ = ["Still"]

RENEWAL_SECONDS = 5.0
HIDE_LOST_VIEW = (
    "<style>.jp-OutputArea:has(.nbflow-still) .jp-OutputArea-output.jupyter-widgets:not(:has(*))"
    "{display:none}</style>"
)
"""Where the live view is gone for good, JupyterLab writes "model not found" over the picture."""


@final
class Still:
    """Keep one output of a cell up to date: seldom while much happens, and at once when all is done.

    The style sheet of the views hides it as long as a live view stands in the same cell.
    """

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._renewed = 0.0
        self._shown = ""

    def display(self) -> None:
        """Take a place in the output of the cell that runs now."""
        handle = DisplayHandle()
        handle.display(_bundle("", ""), raw=True)
        self._handle = handle  # only now: an update before the display would be lost

    @property
    def is_empty(self) -> bool:
        """Tell whether no picture was put in the place yet."""
        return not self._shown

    def is_due(self, *, now: float, is_final: bool) -> bool:
        """Tell whether a picture should be drawn at `now` (seconds)."""
        return self._handle is not None and (is_final or now - self._renewed >= RENEWAL_SECONDS)

    def renew(self, html: str, text: str, *, now: float) -> None:
        """Put a picture in the place."""
        if self._handle is not None and html != self._shown:
            self._handle.update(_bundle(html, text), raw=True)
            self._shown = html
        self._renewed = now


def _bundle(html: str, text: str) -> dict[str, Any]:
    return {"text/html": f'<div class="nbflow-still">{html}{HIDE_LOST_VIEW}</div>', "text/plain": text}
