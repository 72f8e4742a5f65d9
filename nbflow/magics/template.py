"""Own command templates: a text in which `{name}` stands for an argument of a bash app. Pure."""

from __future__ import annotations

import re
import shlex
from typing import Any

__all__ = ["fill", "placeholders"]

_PLACEHOLDER = re.compile(r"(?<![$\\{])\{([A-Za-z_]\w*)(?:\[(\d+)\])?\}(?!\})")


def placeholders(template: str) -> list[str]:
    """Return the names that a template asks for, in the order of their first use.

    Only `{name}` and `{name[0]}` count: `${VARIABLE}`, `{{`, and the braces of awk and of shell functions
    stay as they are.
    """
    return list(dict.fromkeys(match[1] for match in _PLACEHOLDER.finditer(template)))


def fill(template: str, values: dict[str, Any]) -> str:
    """Return the command with its arguments in place; names without a value stay as they are.

    A value is quoted for the shell, so a path with spaces or a `;` in it is one word; a list or tuple becomes
    several words.
    """

    def word(match: re.Match[str]) -> str:
        name, index = match.groups()
        if name not in values:
            return match[0]
        value = values[name] if index is None else values[name][int(index)]
        return shlex.join(map(str, value)) if isinstance(value, list | tuple) else shlex.quote(str(value))

    return _PLACEHOLDER.sub(word, template)
