"""Own the writing of SVG. Every text becomes text there, never markup, whatever it holds. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

__all__ = ["drawing", "tag", "words"]

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold, such as the escape character of ANSI colours: one alone would spoil the drawing."""


def tag(name: str, *children: str, **attributes: object) -> str:
    """Write an element around children that are markup already. `stroke_width` becomes `stroke-width`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_plain(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(children)
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def words(
    text: str, x: float, y: float, *, size: float = 11.5, room: float | None = None, **attributes: object
) -> str:
    """Write a text at a place, shortened to about `room` pixels."""
    letters = None if room is None else max(1, int(room / (0.56 * size)))
    shown = text if letters is None or len(text) <= letters else f"{text[: letters - 1]}…"
    title = tag("title", _plain(text)) if shown != text else ""
    return tag("text", _plain(shown), title, x=x, y=y, font_size=size, **attributes)


def drawing(parts: Iterable[str], width: float, height: float, title: str) -> str:
    """Write a whole drawing with a title for those who cannot see it."""
    return tag(
        "svg",
        tag("title", _plain(title)),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="img",
        font_family="var(--jp-ui-font-family, system-ui, sans-serif)",
        style="max-width:100%",
    )


def _short(value: object) -> str:
    """Write a number with a decimal at most: pixels have no more."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def _plain(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", text))
