"""Own where results are kept, who may see them, and the key that tells this user's own records."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import platformdirs

from nbflow.errors import ConfigError

__all__ = ["cache_dir", "make_private", "user_key", "write_durably"]

KEY_NBYTES = 32


def cache_dir() -> Path:
    """Name the directory of remembered results: `NBFLOW_CACHE_DIR`, or the user's cache directory."""
    chosen = os.environ.get("NBFLOW_CACHE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("nbflow") / "memo"


def make_private(directory: Path) -> None:
    """Make `directory` so that only this user can enter it. Raises ConfigError where that cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
        is_ours = directory.stat().st_uid == os.getuid()
    except OSError as error:
        raise ConfigError(
            f"results cannot be remembered in {directory}: {error}; set NBFLOW_CACHE_DIR"
        ) from None
    if not is_ours:
        raise ConfigError(
            f"{directory} belongs to another user; set NBFLOW_CACHE_DIR to a directory of yours"
        )


def user_key(directory: Path) -> bytes:
    """Return the secret that seals this user's records; the first who asks makes it."""
    path = directory / "key"
    for _ in range(2):
        with suppress(OSError):
            key = path.read_bytes()
            if len(key) == KEY_NBYTES:
                return key
            path.unlink()  # damaged: what it sealed is recomputed
        _make_key(path)
    raise ConfigError(f"{path} cannot be read; remove it, or set NBFLOW_CACHE_DIR")


def _make_key(path: Path) -> None:
    temporary = path.with_name(f"key.{secrets.token_hex(8)}")
    _write(temporary, secrets.token_bytes(KEY_NBYTES))
    try:
        with suppress(FileExistsError):  # another kernel was faster: its key is the one
            os.link(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, whatever ends this process or the machine."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(temporary, data)
        os.replace(temporary, path)  # noqa: PTH105 - the tests of crashes watch this very call
        _sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
