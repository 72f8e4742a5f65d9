"""Own how drivers of one family are found by name: those of nbflow, and those that other packages offer."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, final

from nbflow.errors import ConfigError

__all__ = ["Registry"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Know the drivers of one family; `kind` is what one of them is called.

    `built_in` is known without a look at what is installed: a checkout works too, and looking takes
    milliseconds.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]

    def names(self) -> list[str]:
        """Return the names of all drivers that are there, sorted."""
        return sorted({*self.built_in, *(point.name for point in entry_points(group=self.group))})

    def find(self, name: str) -> Any:
        """Return what a name stands for. Raises ConfigError when it is unknown or broken."""
        target = self.built_in.get(name)
        if target is not None:
            module, _, attribute = target.partition(":")
            return getattr(importlib.import_module(module), attribute)
        for point in entry_points(group=self.group, name=name):
            return self._load(point)
        known = self.names()
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"there is no {self.kind} {name!r}; there are: {', '.join(known)}.{hint}")

    def _load(self, point: EntryPoint) -> Any:
        try:
            return point.load()
        except Exception as error:
            owner = point.dist.name if point.dist else point.value
            raise ConfigError(
                f"the {self.kind} {point.name!r} of {owner} cannot be imported: {error!r}"
            ) from error
