"""Own the answer to why a call was run, or was not: what differs from a call that is remembered."""

from __future__ import annotations

import ast
import difflib
import json
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from nbflow.memo.keys import Code
from nbflow.memo.store import Store
from nbflow.wire.fingerprint import CodePart, Fingerprint

__all__ = ["Story", "explain", "recall"]

COMPARED = 50
"""So many of the newest calls are compared with."""

DIFF_LINES = 40

Parts = Sequence[CodePart]


@final
@dataclass(frozen=True, slots=True)
class Story:
    """Say which call was run, and when it was looked up."""

    key: bytes
    code: Code
    forms: str
    asked: float


def recall(store: Store, key: bytes) -> Story | None:
    """Return the story of a call that is remembered; None when it no longer is."""
    rows = store.query(
        "SELECT app, kind, digest, parts, forms, asked FROM results JOIN codes ON codes.id = results.code "
        "WHERE key = ?",
        key,
    )
    if not rows:
        return None
    app, kind, digest, parts, forms, asked = rows[0]
    return Story(key, Code(app, kind, Fingerprint(digest, _parts(parts))), forms, asked)


def explain(store: Store, story: Story) -> str:
    """Return why a call was run anew, for people, with a diff of code or arguments."""
    code = story.code
    known = store.query(
        "SELECT digest, forms, kind, asked FROM results JOIN codes ON codes.id = results.code "
        "WHERE app = ? AND asked < ? AND key != ? ORDER BY results.rowid DESC LIMIT ?",
        *(code.app, story.asked, story.key, COMPARED),
    )
    if not known:
        return f"miss: no call of {code.app} was remembered before"
    own = _arguments(story.forms)
    digest, text, kind, asked = min(known, key=lambda row: _distance(code, own, row))
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(asked))
    lines = [f"miss: compared with the most similar call that is remembered, of {when}"]
    if kind != code.kind:
        lines.append(f"options: {kind} -> {code.kind}")
    if digest != code.fingerprint.digest:
        rows = store.query("SELECT parts FROM codes WHERE digest = ?", digest)
        lines += _code_changes(_parts(rows[0][0]) if rows else (), code.fingerprint.parts)
    lines += _argument_changes(_arguments(text), own)
    if len(lines) == 1:
        lines.append("its output files: other names")
    return "\n".join(lines)


Arguments = dict[str, tuple[str, str]]
"""Form and picture of each argument by its name."""


def _arguments(text: str) -> Arguments:
    """Read what the store tells of arguments; nothing when it is damaged."""
    try:
        told = ast.literal_eval(text)
        return {
            name: (form, "" if form.startswith("=") else form.partition(" ")[2])
            if isinstance(form, str)
            else (form[0], form[1])
            for name, form in told.items()
        }
    except (ValueError, SyntaxError, AttributeError, LookupError, TypeError, MemoryError, RecursionError):
        return {}


def _distance(code: Code, own: Arguments, row: tuple[Any, ...]) -> tuple[int, float]:
    """Return how many things differ, the code as one; the newest of equally near ones is nearest."""
    digest, text, kind, asked = row
    other, nothing = _arguments(text), ("", "")
    changed = sum(
        own.get(name, nothing)[0] != other.get(name, nothing)[0] for name in own.keys() | other.keys()
    )
    return (digest != code.fingerprint.digest) + (kind != code.kind) + changed, -asked


def _parts(text: str) -> tuple[CodePart, ...]:
    try:
        return tuple(CodePart(*part) for part in json.loads(text))
    except (ValueError, TypeError):
        return ()


def _code_changes(before: Parts, after: Parts) -> list[str]:
    old, new = ({name: (digest, text) for name, digest, text in parts} for parts in (before, after))
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys(), key=list({**new, **old}).index):
        was, now = old.get(name, ("", "")), new.get(name, ("", ""))
        if was[1] == now[1]:
            continue  # what differs is something that it reaches, told by itself
        if name not in old or name not in new:
            lines.append(f"code: {name} is {'no longer' if name not in new else 'newly'} used")
        elif "\n" in was[1] or "\n" in now[1]:
            lines.append(f"code: {name} changed")
            lines += _diff(was[1], now[1])
        else:
            lines.append(f"code: {name}: {was[1]} -> {now[1]}")
    return lines or [
        "code: " + ", ".join(_changed_digests(old, new) or ["a version of Python or of a package"])
    ]


def _changed_digests(old: dict[str, tuple[str, str]], new: dict[str, tuple[str, str]]) -> list[str]:
    return [f"{name} changed" for name in new if name in old and old[name] != new[name]]


def _diff(before: str, after: str) -> list[str]:
    # A function may stand deeper in another than it did: that is no change.
    old, new = (textwrap.dedent(text).splitlines() for text in (before, after))
    diff = difflib.unified_diff(old, new, lineterm="", n=1)
    return [f"    {line}" for line in list(diff)[2 : DIFF_LINES + 2]]


def _argument_changes(before: Arguments, after: Arguments) -> list[str]:
    lines = []
    for name in dict.fromkeys((*after, *before)):
        was, now = before.get(name, ("", "not given")), after.get(name, ("", "not given"))
        if was[0] != now[0]:
            pictures = f": {was[1]} -> {now[1]}" if was[1] != now[1] and now[1] else ""
            lines.append(f"argument {name}{pictures or ' changed'}")
    return lines
