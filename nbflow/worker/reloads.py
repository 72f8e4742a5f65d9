"""Own the knowledge which modules of the user were loaded anew in this process: workers have to follow.

A module that is reloaded, or dropped and imported again, has another `__spec__`. What is installed does not
change while a program runs and is passed over.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import Final, final

from nbflow.wire.installed import is_installed

__all__ = ["RELOADS", "Reloads"]


@final
class Reloads:
    """Keep the names of modules that were loaded anew, in order; a mark counts those that somebody knows."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec] = {}
        self._passed_over: set[str] = set()
        self._count = 0
        self._names: list[str] = []
        self._lock = threading.Lock()

    def mark(self) -> int:
        """Return the mark of one that imports everything from now on."""
        return self.since(sys.maxsize)[0]

    def since(self, mark: int) -> tuple[int, Sequence[str]]:
        """Return the mark of now, and what was loaded anew since another."""
        with self._lock:
            for name, spec in self._specs.items():
                now = getattr(sys.modules.get(name), "__spec__", None)
                if now is not None and now is not spec:
                    self._specs[name] = now
                    self._names.append(name)
            if len(sys.modules) != self._count:
                self._take_in()
            return len(self._names), self._names[mark:]

    def _take_in(self) -> None:
        modules = sys.modules.copy()
        self._count = len(modules)
        for name in modules.keys() - self._specs.keys() - self._passed_over:
            spec = getattr(modules[name], "__spec__", None)
            if spec is None or spec.origin is None or is_installed(name):
                self._passed_over.add(name)
            else:
                self._specs[name] = spec


RELOADS: Final = Reloads()
"""Those of this process."""
