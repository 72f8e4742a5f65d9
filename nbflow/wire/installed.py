"""Own the question whether a module is installed, and then in which version: its code is not looked into."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
import sysconfig
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import final

from nbflow.errors import ConfigError

__all__ = ["VersionLevel", "is_in_library", "is_installed", "version_of"]

LEVEL_VARIABLE = "NBFLOW_CACHE_VERSIONS"


@final
class VersionLevel(StrEnum):
    """Say how much of a distribution's version counts: a change of more than that makes code new."""

    EXACT = "exact"
    MINOR = "minor"
    MAJOR = "major"
    NONE = "none"


_PARTS = {VersionLevel.EXACT: None, VersionLevel.MINOR: 2, VersionLevel.MAJOR: 1, VersionLevel.NONE: 0}


def is_installed(module: str) -> bool:
    """Return whether a loaded module belongs to Python, to nbflow or to an installed distribution.

    Unlike its version, which may take a look at every distribution there is, this is told at once.
    """
    top = module.partition(".")[0]
    loaded = sys.modules.get(top)
    if top == "__main__" or loaded is None:
        return False
    return top in sys.stdlib_module_names or top == "nbflow" or _comes_from_library(loaded)


def version_of(module: str) -> str | None:
    """Return distribution and version of an installed module, None for one whose own code counts.

    That is `__main__`, a module of the project, or one that was made by hand.
    """
    if not is_installed(module):
        return None
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"python {sys.version_info[0]}.{sys.version_info[1]}"
    version = _version(top, sys.modules[top])
    kept = _PARTS[_level()]
    return f"{top} {version if kept is None else '.'.join(version.split('.')[:kept])}"


def _level() -> VersionLevel:
    given = os.environ.get(LEVEL_VARIABLE, VersionLevel.EXACT)
    try:
        return VersionLevel(given)
    except ValueError:
        raise ConfigError(f"{LEVEL_VARIABLE}={given!r}: give one of {', '.join(VersionLevel)}") from None


def _comes_from_library(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if file is None:
        return module.__name__ in sys.builtin_module_names
    return is_in_library(file)


@functools.lru_cache(maxsize=4096)
def is_in_library(file: str) -> bool:
    """Tell whether a file belongs to Python or to what is installed, not to the project."""
    paths = sysconfig.get_paths()
    libraries = {Path(paths[name]).resolve() for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    where = Path(file).resolve()
    return not libraries.isdisjoint(where.parents) or "site-packages" in where.parts


@functools.lru_cache(maxsize=1024)
def _version(top: str, module: ModuleType) -> str:
    try:
        return importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        # The distribution has another name than the module, as scikit-learn has.
        return str(getattr(module, "__version__", None) or _distribution_version(top))


def _distribution_version(top: str) -> str:
    names = importlib.metadata.packages_distributions().get(top, [])
    return "+".join(importlib.metadata.version(name) for name in names) or "unknown"
