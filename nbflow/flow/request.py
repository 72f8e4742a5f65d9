"""Own how a retry is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

from nbflow.core.task import Options
from nbflow.errors import ConfigError
from nbflow.flow.options import OPTION_NAMES, change_options

__all__ = ["AS_IT_IS", "RETRY_OPTIONS", "Request"]

RETRY_OPTIONS: Final = tuple(name for name in OPTION_NAMES if name not in ("label", "strict", "ignore"))
"""Options that a retry may change; the others are part of what the app is."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Ask for a retry: what shall be otherwise (None: as it is), who asks (`by`), for which tasks (`why`).

    Raises ConfigError or InvalidResources for options that cannot be.
    """

    fn: Callable[..., Any] | None = None
    args: tuple[Any, ...] | None = None
    kwargs: dict[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    by: str = "Python"
    why: str = ""

    def __post_init__(self) -> None:
        for name in self.options:
            if name in OPTION_NAMES and name not in RETRY_OPTIONS:
                raise ConfigError(f"a retry cannot change {name!r}; it can change {', '.join(RETRY_OPTIONS)}")
        change_options(Options(), self.options)


AS_IT_IS: Final = Request()
"""Ask for a retry without changes."""
