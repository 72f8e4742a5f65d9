"""Own what looks like a secret, by its name or its shape, and the veil that keeps it out of what is written.

A name says that a value is secret (`password`, `api_key`, `GITHUB_TOKEN`), wherever it stands: a variable, a
parameter, a key of a dict, an attribute, the environment. A shape says so of a text by itself: a bearer
token, a URL with a password. What is known as a secret is then looked for in all text beside it, encoded too.
"""

from __future__ import annotations

import base64
import functools
import inspect
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import ModuleType
from typing import Any, Final, final
from urllib.parse import quote, quote_plus

__all__ = [
    "WITHHELD",
    "Veil",
    "conceal",
    "conceal_source",
    "environment",
    "has_secret_name",
    "names_secrets",
    "secret_places",
    "written_secrets",
]

WITHHELD: Final = "<withheld>"

SHORTEST = 6
"""Characters that a secret must have to be looked for in other text: shorter ones are in any."""
MOST_NODES = 5000
MOST_ITEMS = 500
"""Of one container; what is not looked at is not kept, see `names_secrets`."""
MOST_CHARACTERS = 20_000
MOST_SECRETS = 200
SHORTEST_SHAPE = 12

_SURE = re.compile(r"passw(or)?d|passphrase|secret|credential|api_?key|apikey|private_?key|access_?key|jwt")
_LAST_WORDS = frozenset(("auth", "authorization", "bearer", "cookie", "cookies", "pwd", "token"))
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SHAPES = re.compile(
    r"""
      (?P<pem>-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*KEY-----|\Z))
    | (?<=://)(?P<url>[^\s/:@'"]*:[^\s/@'"]+)(?=@)
    | (?:(?<=\b[Bb]earer[ ])|(?<=\b[Bb]asic[ ])|(?<=\bBEARER[ ])|(?<=\bBASIC[ ]))(?P<header>[\w.~+/=-]{8,})
    | \b(?P<known>
        (?:gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-|xox[abprs]-|sk-|sk_live_|rk_live_)[\w-]{16,}
      | (?:AKIA|ASIA)[A-Z0-9]{16}
      | AIza[\w-]{35}
      | eyJ[\w-]{8,}\.eyJ[\w.-]+
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_HINTS = {
    "://": ("://",),
    "-": ("-----BEGIN", "glpat-", "pypi-", "xox", "sk-"),
    "_": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "_pat_", "hf_", "npm_", "sk_", "rk_"),
    "ic ": ("asic ",),
    "IC ": ("ASIC ",),
    "er ": ("earer ",),
    "ER ": ("EARER ",),
    "A": ("AKIA", "ASIA", "AIza"),
    "eyJ": ("eyJ",),
}
"""What every shape has in it: most text has none of it, and is passed over in half a microsecond."""

_ASSIGNED = re.compile(
    r"""(?P<name>["']?\b\w+["']?)(?P<sign>\s*(?::\s*\w+\s*=|[:=])\s*)(?P<text>[rbfu]*(["']).+?\4)"""
)


@functools.lru_cache(maxsize=4096)
def has_secret_name(name: str) -> bool:
    """Tell whether what has this name is a secret: `db_password`, `accessToken`; not `tokens`, `key`."""
    lowered = name.lower()
    if _SURE.search(lowered):
        return True
    words = _WORDS.findall(name.replace("-", "_"))
    return bool(words) and words[-1].lower() in _LAST_WORDS


def secret_places(fn: Callable[..., Any]) -> frozenset[int]:
    """Return which positional arguments of a function are secret by their names."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(place for place, name in enumerate(parameters) if has_secret_name(name))


def conceal(text: str) -> str:
    """Return a text without what has the shape of a secret."""
    if len(text) >= SHORTEST_SHAPE:
        for sign, hints in _HINTS.items():
            if sign in text and any(hint in text for hint in hints):
                return _SHAPES.sub(WITHHELD, text)
    return text


def conceal_source(source: str) -> str:
    """Return source code without the literals that are given to secret names, or look like secrets."""

    def blot(found: re.Match[str]) -> str:
        if not has_secret_name(found["name"].strip("\"'")):
            return found[0]
        return f"{found['name']}{found['sign']}{WITHHELD!r}"

    return conceal(_ASSIGNED.sub(blot, source))


def written_secrets(source: str) -> list[str]:
    """Return the literals that source code gives to secret names."""
    return [
        found["text"].lstrip("rbfu").strip("\"'")
        for found in _ASSIGNED.finditer(source)
        if has_secret_name(found["name"].strip("\"'"))
    ]


@final
class Veil:
    """Keep known secrets out of texts: as they are, and as base64, in URLs, in JSON, hexadecimal."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._pattern = _pattern(frozenset(secrets))

    @classmethod
    def of(cls, *named: Mapping[str, Any]) -> Veil:
        """Return a veil over what is secret in these namespaces, at any depth, and in the environment."""
        found = set(_environment())
        for namespace in named:
            found.update(_secrets_in(namespace))
        return cls(found)

    def over(self, text: str) -> str:
        """Return a text without the secrets, nor anything of the shape of one."""
        if self._pattern is not None:
            text = self._pattern.sub(WITHHELD, text)
        return conceal(text)

    def hides(self, data: bytes) -> bool:
        """Tell whether any secret is in these bytes."""
        text = data.decode("utf-8", "replace")
        return self.over(text) != text


def names_secrets(data: bytes) -> bool:
    """Tell whether a pickle mentions the name of a secret: an attribute, a key."""
    return _SURE.search(data.decode("latin-1").lower()) is not None


def environment() -> Veil:
    """Return the veil over what is secret in this process's environment."""
    return Veil(_environment())


def _environment() -> frozenset[str]:
    """Return what is secret in the environment."""
    # What `os.environ` decodes one by one at each look: a tenth of the price, for a call that prints.
    return _secret_values(tuple(os.environ._data.items()))  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=8)
def _secret_values(environment: tuple[tuple[Any, Any], ...]) -> frozenset[str]:
    named = [(os.fsdecode(name), os.fsdecode(value)) for name, value in environment]
    return frozenset(value for name, value in named if name != "PWD" and has_secret_name(name))


def _secrets_in(namespace: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts below secret names, the nearest first; runs no code of the values'."""
    seen: set[int] = set()
    todo: deque[tuple[Any, bool]] = deque([(dict(namespace), False)])
    for _ in range(MOST_NODES):
        if not todo:
            return
        value, is_secret = todo.popleft()
        kind = type(value)  # not isinstance, which asks the value
        if issubclass(kind, str):
            yield from _said(value) if is_secret else _shaped(value)
        elif issubclass(kind, bytes | bytearray):
            if is_secret:
                yield value[:MOST_CHARACTERS].decode("utf-8", "replace")
        elif id(value) not in seen:
            seen.add(id(value))
            below = _below(value, is_secret=is_secret)
            todo.extend((item, is_so) for item, is_so in below if type(item) not in _NUMBERS)


def _said(secret: str) -> list[str]:
    """Return a secret, and what is secret in it without its scheme, as in `Bearer ...`."""
    return [secret, *secret.split()[1:]]


def _shaped(text: str) -> Iterator[str]:
    return (found[0] for found in _SHAPES.finditer(text[:MOST_CHARACTERS]))


def _below(value: Any, *, is_secret: bool) -> Iterable[tuple[Any, bool]]:
    kind = type(value)
    if issubclass(kind, dict):
        return _judged(dict.items(value), is_secret=is_secret)
    if kind in _PLAIN:
        if kind is tuple and list(map(type, value[:1])) == [str] and len(value) == 2:  # as headers are
            return _judged((value,), is_secret=is_secret)
        return [(item, is_secret) for item in islice(value, MOST_ITEMS)]
    if issubclass(kind, type | ModuleType):
        return ()
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:  # noqa: BLE001 - it has none
        return ()
    return _judged(attributes.items(), is_secret=is_secret)


def _judged(pairs: Iterable[tuple[Any, Any]], *, is_secret: bool) -> list[tuple[Any, bool]]:
    return [
        (item, is_secret or (type(name) is str and has_secret_name(name)))
        for name, item in list(islice(pairs, MOST_ITEMS))
    ]


_PLAIN = frozenset((list, tuple, set, frozenset))
_NUMBERS = frozenset((int, float, bool, complex, type(None)))


@functools.lru_cache(maxsize=64)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    long_enough = sorted((one for one in secrets if len(one.strip()) >= SHORTEST), key=len)[:MOST_SECRETS]
    forms = {form for secret in long_enough for form in _forms(secret.strip())}
    if not forms:
        return None
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret may be written."""
    yield secret
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote_plus(secret)
    data = secret.encode("utf-8", "surrogatepass")
    yield data.hex()
    for offset in range(3):
        # The characters that depend on the secret alone, wherever it begins in what is encoded.
        text = base64.b64encode(bytes(offset) + data).decode()
        core = text[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
        if len(core) >= SHORTEST:
            yield core
            yield core.replace("+", "-").replace("/", "_")
    if "\n" in secret:
        yield from (line for line in secret.splitlines() if len(line) >= SHORTEST)
