"""Own the way from a key of a TOML document to its line: `tomllib` reads values and tells no positions."""

from __future__ import annotations

import re
import tomllib

__all__ = ["KeyPath", "key_lines"]

KeyPath = tuple[str, ...]

TOKEN = re.compile(
    r'''
      (?P<comment> \#[^\n]* )
    | (?P<string> """ (?: \\. | [^\\] )*? "{3,5} | \'{3} .*? \'{3,5} | " (?: \\. | [^"\\\n] )* " | '[^'\n]*' )
    | (?P<newline> \n )
    | (?P<mark> [\[\]{}=] )
    | (?P<bare> [^\s\[\]{}=.,\#"']+ )
    ''',
    re.VERBOSE | re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each table header and key of a document that `tomllib` has read.

    Keys inside inline tables are not in it: they share the line of their table's key.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    words: list[str] = []
    depth, is_value, line = 0, False, 1
    for token in TOKEN.finditer(text):
        kind, word = token.lastgroup, token[0]
        if kind == "newline" and depth == 0:
            words, is_value = [], False
        elif is_value:
            depth += (word in ("[", "{")) - (word in ("]", "}"))
        elif word == "]":
            table = tuple(words)
            lines.setdefault(table, line)
        elif word == "=":
            lines[(*table, *words)] = line
            is_value = True
        elif kind == "bare":
            words.append(word)
        elif kind == "string":
            words.append(tomllib.loads(f"key = {word}")["key"])
        line += word.count("\n")
    return lines
