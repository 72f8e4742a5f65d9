"""Own the question whether a function or class can be imported on the other side, or has to travel itself.

What `import module` and attribute access find again goes by reference. What `__main__` (a script or a
notebook) defines, and what has no such address, goes by value.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__all__ = ["address", "fetch", "module_name"]

Address = tuple[str, str, bool]
"""Module, path of attributes, and whether what is found there is an app whose function is meant."""


def address(thing: Any) -> Address | None:
    """Return where a function or class can be imported from, or None when it has to go by value."""
    module = getattr(thing, "__module__", None)
    path = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    if not isinstance(module, str) or not isinstance(path, str) or module == "__main__" or "<" in path:
        return None
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if found is None:
        return None
    if found is thing:
        return module, path, False
    return (module, path, True) if _decorates(found, thing) else None


def _decorates(found: Any, thing: Any) -> bool:
    """Tell whether `found` is an app made of `thing`: a decorator left it where the function's name was."""
    return callable(found) and not isinstance(found, type) and getattr(found, "fn", None) is thing


def fetch(module: str, path: str) -> Any:
    """Import the function inside an app. Raises ImportError or AttributeError."""
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found.fn


def module_name(module: ModuleType) -> str | None:
    """Return the name that imports a module again, or None when it was made by hand."""
    name = module.__name__
    return name if sys.modules.get(name) is module else None
