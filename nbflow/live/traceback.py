"""Own how a remote traceback is read: the user's frames in sight, those of libraries folded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import final

__all__ = ["Section", "fold", "line_in"]

_FRAME = re.compile(r'^  File "(?P<file>[^"\n]*)", line (?P<line>\d+)(?:, in (?P<name>.*))?$')
_FOREIGN = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]|^<frozen ")
_PACKAGE = re.compile(
    r"(?:site-packages|dist-packages|python3[^/\\]*)[/\\](?!site-packages|dist-packages)(?P<name>[^/\\.]+)"
)


@final
@dataclass(frozen=True, slots=True)
class Section:
    """Hold a part of a traceback; `title` says what is in it where it is to be folded."""

    text: str
    title: str = ""


def fold(traceback: str) -> list[Section]:
    """Part a traceback into what is shown and what is folded, in its order; nothing is lost."""
    sections = []
    for is_foreign, parts in groupby(_parts(traceback), key=_is_foreign):
        texts = list(parts)
        sections.append(Section("".join(texts), _title(texts) if is_foreign else ""))
    return sections


def line_in(traceback: str, filename: str) -> int | None:
    """Return the number of the line of a file where the failure passed last; None when it did not."""
    found = None
    for line in traceback.splitlines():
        frame = _FRAME.match(line)
        if frame and frame["file"] == filename:
            found = int(frame["line"])
    return found


def _parts(traceback: str) -> Iterator[str]:
    """Give each frame with its lines as one text, and every line beside frames."""
    frame = ""
    for line in traceback.splitlines(keepends=True):
        if frame and line.startswith("    "):
            frame += line
            continue
        if frame:
            yield frame
        frame = line if _FRAME.match(line.rstrip("\n")) else ""
        if not frame:
            yield line
    if frame:
        yield frame


def _is_foreign(part: str) -> bool:
    frame = _FRAME.match(part.partition("\n")[0])
    return frame is not None and _FOREIGN.search(frame["file"]) is not None


def _title(frames: list[str]) -> str:
    names = dict.fromkeys(
        found["name"] for frame in frames if (found := _PACKAGE.search(frame.partition("\n")[0]))
    )
    count = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
    return f"{count} of {', '.join(names)}" if names else f"{count} of Python"
