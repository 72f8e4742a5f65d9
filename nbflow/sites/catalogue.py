"""Own where descriptions of sites come from, and which one wins.

Highest first: `[sites.NAME]` in the project's `nbflow.toml`, `sites/NAME.toml` in the user's configuration
directory, the same in the environment's `etc/nbflow`, and what is shipped. They are laid over each other key
by key, so that one line (an account) is enough to complete a shipped description. `local` always exists.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import final

import platformdirs

from nbflow.errors import ConfigError
from nbflow.sites.leaves import Leaves, Origin, dotted, read_leaves
from nbflow.sites.model import LOCAL, Site
from nbflow.sites.reader import build_site, suggestion

__all__ = ["PROJECT_FILE", "Catalogue", "load_catalogue", "project_file"]

PROJECT_FILE = "nbflow.toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
Layer = Mapping[str, Leaves]


@final
@dataclass(frozen=True, slots=True)
class Catalogue:
    """Know the sites of this project, user and environment. A description that is wrong hurts no other."""

    leaves: Mapping[str, Leaves]
    unreadable: Mapping[str, ConfigError]

    def names(self) -> list[str]:
        """Return the names of all sites, `local` first."""
        others = {*self.leaves, *self.unreadable} - {LOCAL.name}
        return [LOCAL.name, *sorted(others)]

    def find(self, name: str) -> Site:
        """Return a site. Raises ConfigError when there is none, or when its description is wrong."""
        if name not in self.names():
            hint = suggestion(name, self.names()) or "; `nbflow sites list` names all"
            raise ConfigError(f"there is no site {name!r}{hint}")
        if name in self.unreadable:
            raise self.unreadable[name]
        leaves = self.leaves.get(name, {})
        site = build_site(name, leaves)
        if name != LOCAL.name:
            return site
        return replace(
            site,
            title=site.title or LOCAL.title,
            python=site.python if ("python",) in leaves else LOCAL.python,
        )

    def origins(self, name: str) -> dict[str, Origin]:
        """Return where each key of a site was written."""
        return {dotted(path): leaf.origin for path, leaf in self.leaves.get(name, {}).items()}


def load_catalogue(start: Path | None = None) -> Catalogue:
    """Read all descriptions; the project is the one that `start` (by default the current directory) lies in.

    Raises ConfigError for a wrong `nbflow.toml`; other files only spoil the site that they describe.
    """
    unreadable: dict[str, ConfigError] = {}
    merged: dict[str, Leaves] = defaultdict(dict)
    for layer in _layers(start or Path.cwd(), unreadable):
        for name, leaves in layer.items():
            merged[name].update(leaves)
    return Catalogue(dict(merged), unreadable)


def project_file(start: Path) -> Path | None:
    """Return the `nbflow.toml` of the project that `start` lies in: there, or above."""
    return next(
        (path for folder in (start, *start.parents) if (path := folder / PROJECT_FILE).is_file()), None
    )


def _layers(start: Path, unreadable: dict[str, ConfigError]) -> Iterator[Layer]:
    """Yield what each place says, the lowest first."""
    with resources.as_file(resources.files("nbflow.sites") / "centres") as shipped:
        yield _read_directory(shipped, unreadable)
    yield _read_directory(Path(sys.prefix) / "etc" / "nbflow" / "sites", unreadable)
    yield _read_directory(platformdirs.user_config_path("nbflow") / "sites", unreadable)
    if project := project_file(start.absolute()):
        yield _read_project(project)


def _read_directory(directory: Path, unreadable: dict[str, ConfigError]) -> Layer:
    layer: dict[str, Leaves] = {}
    for path in _toml_files(directory):
        try:
            _check_name(path.stem, str(path))
            layer[path.stem] = read_leaves(path)
        except ConfigError as error:
            unreadable[path.stem] = error
    return layer


def _toml_files(directory: Path) -> Iterable[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be read: {error.strerror or error}") from error


def _read_project(path: Path) -> Layer:
    layer: dict[str, Leaves] = defaultdict(dict)
    for key, leaf in read_leaves(path).items():
        if key[0] != "sites":
            continue  # what else a project configures is not for sites to know
        if len(key) < 3:
            raise leaf.refuse(key, "write a table for each site: [sites.NAME]")
        _check_name(key[1], str(leaf.origin))
        layer[key[1]][key[2:]] = leaf
    return layer


def _check_name(name: str, where: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} cannot be the name of a site; use letters, digits, - and _")
