"""Own the still picture beside a live view: what a saved notebook shows when no kernel stands behind it."""

from __future__ import annotations

import time
from typing import Any, final

from IPython.display import DisplayHandle

from nbflow.live.palette import MUTED

__all__ = ["Still"]

RENEWAL_SECONDS = 5.0
HIDE_LOST_VIEW = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .nbflow-still) "
    "> .jp-OutputArea-output:not(:has(*)){display:none}</style>"
)
"""Without the live view, JupyterLab writes "Loading widget" or "model not found" over the picture."""


@final
class Still:
    """Keep an output of each cell that shows a view up to date: seldom while much happens, and at the end.

    The style sheet of the views hides it as long as a live view stands in the same cell.
    """

    def __init__(self) -> None:
        self._handles: list[DisplayHandle] = []
        self._renewed = 0.0
        self._shown = ("", "")

    def display(self) -> None:
        """Take a place in the output of the cell that runs now, with the picture that there is."""
        handle = DisplayHandle()
        handle.display(_bundle(*self._shown), raw=True)
        self._handles.append(handle)  # only now: an update before the display would be lost

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no picture yet."""
        return self._shown == ("", "")

    def is_due(self, *, now: float, is_final: bool) -> bool:
        """Tell whether a picture should be drawn at `now` (seconds)."""
        return bool(self._handles) and (is_final or now - self._renewed >= RENEWAL_SECONDS)

    def renew(self, html: str, text: str, *, now: float, is_final: bool) -> None:
        """Put a picture in all places; one that may be the last of an unfinished run says of when it is."""
        if not is_final:
            moment = time.strftime("%d %b %Y, %H:%M:%S", time.localtime(now))
            html += f'<div style="color:{MUTED}">as of {moment}</div>'
            text += f" (as of {moment})"
        if (html, text) != self._shown:
            self._shown = (html, text)
            for handle in tuple(self._handles):
                handle.update(_bundle(html, text), raw=True)
        self._renewed = now


def _bundle(html: str, text: str) -> dict[str, Any]:
    return {"text/html": f'<div class="nbflow-still">{html}{HIDE_LOST_VIEW}</div>', "text/plain": text}
