"""Own how several small ES modules become the one text that a widget takes: no build, no network."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

__all__ = ["join_modules", "read_style"]

FOLDER: Final = files("nbflow.live") / "browser"
_IMPORT = re.compile(r"^import [^;]*? from '\./([\w-]+\.js)';\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def join_modules(entry: str) -> str:
    """Return the module `entry` with everything it imports in front of it, each module once.

    Modules import each other by `import { name } from './module.js'` and use no name for two things.
    """
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        text = (FOLDER / name).read_text(encoding="utf-8")
        for needed in _IMPORT.findall(text):
            if needed not in texts:
                visit(needed)
        texts[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    visit(entry)
    return "\n".join(texts.values())


def read_style(*names: str) -> str:
    """Return style sheets as one text: these, or those of the views."""
    sheets = names or ("views.css", "panel.css", "tabs.css")
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in sheets)
