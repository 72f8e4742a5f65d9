"""Own the key of a call: what its function is, and what it is given, one form for each argument."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from nbflow.errors import AppTypeError, NotMemoizable
from nbflow.memo import files as _files  # registers the form of a File
from nbflow.wire.fingerprint import Fingerprint, form_of
from nbflow.wire.secrecy import conceal, has_secret_name

__all__ = ["Binder", "Code", "Key"]

PLAIN_LENGTH = 48
PLAIN_BITS = 200
KEY_NBYTES = 16
"""Half of a SHA-256: keys lie all over the store's index, which costs by its size."""

NUMBERS = frozenset((int, float, bool, type(None)))
"""None of them reads like a secret."""

NUMBER_NBYTES = 8

WRITTEN = frozenset(("outputs", "stdout", "stderr"))
"""Arguments that name what the call writes: their content before it does not count."""


_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

digest_of = _files.digest_of


def plain_form(value: Any) -> str | None:
    """Return type and value of a short number or text, which is a quarter of the work of `form_of`.

    What follows the first blank is how the value reads; other forms begin with `=`.
    """
    kind = type(value)
    if kind is int:
        return f"int {value}" if value.bit_length() <= PLAIN_BITS else None
    if kind is str or kind is bytes:
        return f"{kind.__name__} {value!r}" if len(value) <= PLAIN_LENGTH else None
    if kind is float:
        return f"float {value!r}" if value == value else None  # a NaN has a sign that repr does not show
    return f"{kind.__name__} {value}" if kind is bool or value is None else None


@final
@dataclass(frozen=True, slots=True)
class Code:
    """Say what a call runs: the app's name, its fingerprint, and how (`kind`, as `bash strict`).

    `number` is made of these, and tells it from others in a database.
    """

    app: str
    kind: str
    fingerprint: Fingerprint
    number: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        named = hashlib.sha256(repr((self.fingerprint.digest, self.app, self.kind)).encode())
        object.__setattr__(self, "number", int.from_bytes(named.digest()[:NUMBER_NBYTES], signed=True))


@final
@dataclass(slots=True)
class Key:
    """Tell a call from others by `digest`; `forms` says what went into it, as the text of a Python dict.

    `is_plain` tells that no argument can change. Not frozen: there is one for each call, and a frozen one
    costs 0.7 us more.
    """

    digest: bytes
    forms: str
    is_plain: bool


def _sealed(form: bytes) -> str:
    """Return what tells a form from others, but does not show it: it may hold a secret."""
    return f"={hashlib.sha256(form).hexdigest()}"


@final
class Binder:
    """Name the arguments of a function's calls, defaults filled in, those in `ignore` left out.

    Raises AppTypeError when `ignore` names what is no argument.
    """

    def __init__(self, fn: Callable[..., Any], ignore: Collection[str]) -> None:
        try:
            self._signature: inspect.Signature | None = inspect.signature(fn)
        except (TypeError, ValueError):
            self._signature = None
        parameters = {} if self._signature is None else dict(self._signature.parameters)
        is_open = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
        unknown = sorted(set(ignore) - parameters.keys())
        if unknown and not is_open:
            raise AppTypeError(f"ignore={unknown}: the function takes {', '.join(parameters) or 'nothing'}")
        self._left_out = frozenset(ignore) | WRITTEN
        self._names = tuple(parameters)
        self._code: Code | None = None
        self._is_plain = bool(parameters) and all(
            one.kind in _NAMED and name not in self._left_out for name, one in parameters.items()
        )

    def key(
        self, code: Code, args: tuple[Any, ...], kwargs: Mapping[str, Any], outputs: Sequence[str]
    ) -> Key:
        """Return the key of one call. Raises NotMemoizable, which names the argument."""
        forms: dict[str, str] = {}
        is_plain = True
        for name, value in self.named(args, kwargs):
            form = plain_form(value)
            if form is None:
                is_plain = False
                try:
                    form = _sealed(form_of(value))
                except NotMemoizable as error:
                    raise error.within(name) from None
            elif has_secret_name(name) or (type(value) not in NUMBERS and conceal(form) is not form):
                form = _sealed(form.encode("utf-8", "surrogatepass"))
            forms[name] = form
        told = repr(forms)  # text in quotes: no two calls read alike
        if code is not self._code:
            self._code = code
            self._of_code = hashlib.sha256(code.fingerprint.digest + repr(code.kind).encode())
        whole = self._of_code.copy()
        whole.update(f"{outputs!r}{told}".encode("utf-8", "surrogatepass"))
        return Key(whole.digest()[:KEY_NBYTES], told, is_plain)

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Return the arguments that count, by name."""
        if self._is_plain and not kwargs and len(args) == len(self._names):
            return zip(self._names, args, strict=True)
        if self._signature is None:
            named: Iterable[tuple[str, Any]] = [
                *((str(place), value) for place, value in enumerate(args)),
                *kwargs.items(),
            ]
        else:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            named = self._spread(bound.arguments)
        return ((name, value) for name, value in named if name not in self._left_out)

    def _spread(self, arguments: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Yield what `**more` takes by its own names."""
        for name, value in arguments.items():
            parameter = self._signature.parameters[name]  # type: ignore[union-attr]
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                yield from value.items()
            else:
                yield name, value
