"""Own the answer to why a call was run, or was not: what differs from a call that is remembered."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from nbflow.memo.keys import Forms
from nbflow.memo.store import Store

__all__ = ["Story", "explain"]

COMPARED = 50
"""So many of the newest calls are compared with."""

DIFF_LINES = 40

Parts = Sequence[tuple[str, str, str]]


@final
@dataclass(slots=True)
class Story:
    """Say what a look-up found. A plain `note` is the whole answer; without one `key` was not known.

    `time` is that of the look-up; `forms` are the arguments' while the store does not have them. It is
    changed in place: there is one for each call that was run.
    """

    key: bytes = b""
    app: str = ""
    kind: str = ""
    code: bytes = b""
    parts: Sequence[tuple[str, str, str]] = ()
    forms: Forms | None = None
    time: float = 0.0
    note: str = ""


def explain(store: Store, story: Story) -> str:
    """Return why a call was run anew or not, for people; for a miss, with a diff of code or arguments."""
    if story.note:
        return story.note
    known = store.query(
        "SELECT code, forms, kind, created FROM results WHERE app = ? AND created < ? AND key != ? "
        "ORDER BY created DESC LIMIT ?",
        *(story.app, story.time, story.key, COMPARED),
    )
    own = {name: form for name, (form, _) in _forms(store, story).items()}
    if not known:
        return f"miss: no call of {story.app} was remembered before"
    code, text, kind, created = min(known, key=lambda row: _distance(story, own, row))
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))
    lines = [f"miss: compared with the most similar call that is remembered, of {when}"]
    if kind != story.kind:
        lines.append(f"options: {kind} -> {story.kind}")
    if code != story.code:
        lines += _code_changes(_parts(store, code), story.parts)
    lines += _argument_changes(json.loads(text), _forms(store, story))
    if len(lines) == 1:
        lines.append("its output files: other names")
    return "\n".join(lines)


def _forms(store: Store, story: Story) -> dict[str, Any]:
    if story.forms is not None:
        return {name: (form, "") for name, form in story.forms.items()}
    rows = store.query("SELECT forms FROM results WHERE key = ?", story.key)
    return dict(json.loads(rows[0][0])) if rows else {}


def _distance(story: Story, own: Forms, row: tuple[Any, ...]) -> tuple[int, float]:
    """Return how many things differ, the code as one; the newest of equally near ones is nearest."""
    code, text, kind, created = row
    other = {name: form for name, (form, _) in json.loads(text).items()}
    changed = sum(own.get(name) != other.get(name) for name in own.keys() | other.keys())
    return (code != story.code) + (kind != story.kind) + changed, -created


def _parts(store: Store, code: bytes) -> Parts:
    rows = store.query("SELECT parts FROM codes WHERE digest = ?", code)
    return [(name, digest, text) for name, digest, text in json.loads(rows[0][0])] if rows else []


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
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return [f"    {line}" for line in list(diff)[2 : DIFF_LINES + 2]]


def _argument_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for name in dict.fromkeys((*after, *before)):
        was, now = before.get(name, ("", "not given")), after.get(name, ("", "not given"))
        if was[0] != now[0]:
            pictures = f": {was[1]} -> {now[1]}" if was[1] != now[1] and now[1] else ""
            lines.append(f"argument {name}{pictures or ' changed'}")
    return lines
