"""Own how one future, app or run shows itself as HTML: static and small."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from nbflow.journal.grid import html_row

__all__ = ["card", "plain_value"]

LONGEST_VALUE = 400
_NUMBERS = frozenset((int, float, bool, complex, type(None)))


def card(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """Return a title and what is known below it; a fact without a value is left out."""
    rows = "".join(html_row("td", (name, _shortened(value))) for name, value in facts if value)
    return f"<div><code>{escape(title)}</code>{f'<table>{rows}</table>' if rows else ''}</div>"


def plain_value(value: Any) -> str:
    """Return a number as it is, and of all else the type: its repr may be long, slow, or secret."""
    kind = type(value)
    return _shortened(repr(value)) if kind in _NUMBERS else f"<{kind.__name__}>"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
