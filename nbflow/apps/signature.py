"""Own what an app's signature tells: how many arguments it takes, which reserved ones it wants."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, final

from nbflow.errors import AppTypeError

__all__ = ["RESERVED", "AppSignature"]

RESERVED = (
    "inputs",
    "outputs",
    "stdout",
    "stderr",
    "walltime",
    "nbflow_resources",
    "parsl_resource_specification",
)
"""Keyword arguments that nbflow reads; the function gets those that it declares."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@final
class AppSignature:
    """Check a call against a function's signature, cheaply when only positional arguments are given.

    `fewest` and `most` bound their number; a function that needs keyword arguments has no cheap way
    (`fewest > most`). `defaults` are those that the function gives to reserved arguments.
    """

    __slots__ = ("_signature", "declared", "defaults", "fewest", "most", "name")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.name = getattr(fn, "__name__", type(fn).__name__)
        try:
            self._signature: inspect.Signature | None = inspect.signature(fn)
        except (TypeError, ValueError):
            self._signature = None  # some C functions tell nothing
        parameters = () if self._signature is None else tuple(self._signature.parameters.values())
        empty = inspect.Parameter.empty
        positional = [one for one in parameters if one.kind in _POSITIONAL]
        self.fewest: int = sum(one.default is empty for one in positional)
        is_open = self._signature is None or any(
            one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters
        )
        self.most: float = float("inf") if is_open else len(positional)
        if any(one.kind is inspect.Parameter.KEYWORD_ONLY and one.default is empty for one in parameters):
            self.most = -1
        self.declared = frozenset(one.name for one in parameters if one.name in RESERVED)
        self.defaults = {
            one.name: one.default for one in parameters if one.name in RESERVED and one.default is not empty
        }

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the TypeError that calling the function would raise, before anything is submitted."""
        if self._signature is not None:
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as error:
                raise AppTypeError(f"{self.name}{self._signature}: {error}") from None
