"""Own how rows of texts are drawn: as aligned lines, and as an HTML table. It knows no task."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["aligned", "html_row", "html_table"]


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Write lines of cells as columns."""
    cells = [list(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def html_table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Write lines of cells as an HTML table; what they hold is text, whatever it looks like."""
    body = "".join(html_row("td", line) for line in lines)
    return f"<table><thead>{html_row('th', head)}</thead><tbody>{body}</tbody></table>"


def html_row(tag: str, cells: Iterable[str]) -> str:
    """Write one line of such a table, of `td` or `th`."""
    start = f'<{tag} style="text-align: left">'  # Jupyter puts cells to the right, as if all were numbers
    return f"<tr>{''.join(f'{start}{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
