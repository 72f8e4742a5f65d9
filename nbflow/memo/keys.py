"""Own the key of a call: what its function is, and what it is given, one form for each argument."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from nbflow.errors import AppTypeError, NotMemoizable
from nbflow.memo import files as _files  # registers the form of a File
from nbflow.wire.fingerprint import Fingerprint, form_of

__all__ = ["Binder", "Code", "Forms", "Key"]

Forms = dict[str, str]
"""The form of each argument by its name, hexadecimal."""

WRITTEN = frozenset(("outputs", "stdout", "stderr"))
"""Arguments that name what the call writes: their content before it does not count."""


_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

digest_of = _files.digest_of


@final
@dataclass(frozen=True, slots=True)
class Code:
    """Say what a call runs: the app's name, its fingerprint, and how (`kind`, as `bash strict`)."""

    app: str
    kind: str
    fingerprint: Fingerprint


@final
@dataclass(frozen=True, slots=True)
class Key:
    """Tell a call from others by `digest`; `forms` say what went into it."""

    digest: bytes
    code: Code
    forms: Forms


def _told(value: Any, form: bytes) -> str:
    """Return what tells the form of an argument from others, but does not show it: it may be a secret."""
    return (form if type(value) in _NUMBERS else hashlib.sha256(form).digest()).hex()


_NUMBERS = frozenset((int, float, bool, complex, type(None)))


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
        self._is_plain = bool(parameters) and all(one.kind in _NAMED for one in parameters.values())

    def key(
        self, code: Code, args: tuple[Any, ...], kwargs: Mapping[str, Any], outputs: Iterable[str]
    ) -> Key:
        """Return the key of one call. Raises NotMemoizable, which names the argument."""
        whole = hashlib.sha256(code.fingerprint.digest)
        whole.update(f"{code.kind}\0{chr(0).join(outputs)}\0".encode("utf-8", "surrogatepass"))
        forms: Forms = {}
        for name, value in self.named(args, kwargs):
            try:
                form = form_of(value)
            except NotMemoizable as error:
                raise error.within(name) from None
            whole.update(b"%b=%d:" % (name.encode(), len(form)))
            whole.update(form)
            forms[name] = _told(value, form)
        return Key(whole.digest(), code, forms)

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Return the arguments that count, by name."""
        if self._is_plain and not kwargs and len(args) == len(self._names):
            named: Iterable[tuple[str, Any]] = zip(self._names, args, strict=True)
        elif self._signature is None:
            named = [*((str(place), value) for place, value in enumerate(args)), *kwargs.items()]
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
