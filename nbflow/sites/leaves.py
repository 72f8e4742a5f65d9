"""Own reading a TOML file into its leaves: each value with the file and line that it comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from nbflow.errors import ConfigError
from nbflow.sites.lines import KeyPath, key_lines

__all__ = ["Leaf", "Leaves", "Origin", "read_leaves"]

LARGEST_NBYTES = 1 << 20
SHOWN_CHARACTERS = 60


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """Say where a value was written."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@final
@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is no table, and where it was written."""

    value: Any
    origin: Origin

    def refuse(self, path: KeyPath, why: str) -> ConfigError:
        """Return the error that names file, line, key and value, and says why the value cannot be."""
        shown = repr(self.value)
        if len(shown) > SHOWN_CHARACTERS:
            shown = f"{shown[:SHOWN_CHARACTERS]}..."
        return ConfigError(f"{self.origin}: {dotted(path)} = {shown}: {why}")


Leaves = dict[KeyPath, Leaf]


def dotted(path: KeyPath) -> str:
    """Write a path as TOML would; what cannot be seen in it is escaped."""
    return ".".join(part if re.fullmatch(r"[\w-]+", part, re.ASCII) else repr(part) for part in path)


def read_leaves(path: Path) -> Leaves:
    """Return the leaves of a TOML file. Raises ConfigError, with the line, for what is no TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_NBYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST_NBYTES:
        raise ConfigError(
            f"{path}: is larger than {LARGEST_NBYTES >> 20} MiB, which no description of sites is"
        )
    try:
        text = content.decode().replace("\r\n", "\n")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: is not text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_where(path, str(error), content.decode())) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: its values are nested too deeply") from error
    lines = key_lines(text)
    return {key: Leaf(value, Origin(str(path), _line(lines, key))) for key, value in _flatten(document)}


def _where(path: Path, told: str, text: str) -> str:
    """Say on which line a document stops being TOML, and what is written there."""
    lines = text.rstrip().splitlines() or [""]
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", told)
    number = min(int(match[1]), len(lines)) if match and match[1] else len(lines)
    why = told[: match.start()] if match else told
    return f"{path}, line {number}: {why}: {lines[number - 1].strip()[:SHOWN_CHARACTERS]!r}"


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)


def _flatten(table: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, (*path, key))
        elif not isinstance(value, dict):
            yield (*path, key), value
