"""Own how a retry is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

from nbflow.core.task import Options
from nbflow.errors import AppTypeError, ConfigError
from nbflow.flow.options import OPTION_NAMES, change_options

__all__ = ["AS_IT_IS", "RETRY_OPTIONS", "Request"]

RETRY_OPTIONS: Final = tuple(name for name in OPTION_NAMES if name not in ("label", "strict", "ignore"))
"""Options that a retry may change; the others are part of what the app is."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Ask for a retry: what shall be otherwise (None: as it is), who asks (`by`), for which tasks (`why`).

    Raises ConfigError or InvalidResources for options that cannot be, AppTypeError for arguments.
    """

    fn: Callable[..., Any] | None = None
    args: Sequence[Any] | None = None
    kwargs: dict[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    by: str = "Python"
    why: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.args, tuple | list | None):
            raise AppTypeError(f"args is a {type(self.args).__name__}: give a tuple, such as args=(1,)")
        if not isinstance(self.kwargs, dict | None):
            raise AppTypeError(f"kwargs is a {type(self.kwargs).__name__}: give a dict, such as {{'x': 1}}")
        for name in self.options:
            if name in OPTION_NAMES and name not in RETRY_OPTIONS:
                raise ConfigError(f"a retry cannot change {name!r}; it can change {', '.join(RETRY_OPTIONS)}")
        try:
            change_options(Options(), self.options)
        except ConfigError as error:
            if self.options.keys() <= frozenset(OPTION_NAMES):
                raise
            raise ConfigError(f"{error}; an argument is changed by args= or kwargs=") from None


AS_IT_IS: Final = Request()
"""Ask for a retry without changes."""
