"""Own the name of a file as apps see it. Local paths for now; a scheme that no store serves is refused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import unquote, urlsplit

from nbflow.errors import ConfigError

__all__ = ["File"]


@final
@dataclass(frozen=True, slots=True, init=False)
class File(os.PathLike[str]):
    """Name a file by its path or `file:` URL. It is a path wherever a path is taken.

    Raises ConfigError for an empty name, a NUL in it, or a scheme other than `file`.
    """

    path: str

    def __init__(self, name: str | os.PathLike[str]) -> None:
        object.__setattr__(self, "path", _local_path(os.fspath(name)))

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return Path(self.path).name

    @property
    def filepath(self) -> str:
        """Return the path, under the name that Parsl gives it."""
        return self.path

    @property
    def filename(self) -> str:
        """Return the last part of the path, under the name that Parsl gives it."""
        return self.name

    def to_path(self) -> Path:
        """Return the file as a `pathlib.Path`."""
        return Path(self.path)

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path


def _local_path(name: object) -> str:
    if not isinstance(name, str) or not name or "\0" in name:
        raise ConfigError(f"File({name!r}): give a path or a file: URL")
    scheme, separator, _ = name.partition("://")
    if not separator or not scheme.isalnum():
        return name
    url = urlsplit(name)
    if url.scheme != "file" or url.netloc not in ("", "localhost"):
        raise ConfigError(
            f"File({name!r}): no store serves the scheme {url.scheme!r} yet; only local files work"
        )
    return unquote(url.path)
