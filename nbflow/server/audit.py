"""Own the audit log: one JSON object a line, who asked for which change and what became of it."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any, final

from nbflow.errors import ConfigError
from nbflow.journal.places import make_private

__all__ = ["Audit"]

CHOICE = ("app", "tasks", "task", "error", "blocks", "executor")
"""Arguments that are written down: source, options and arguments of tasks may hold secrets."""
TAIL_BYTES = 1 << 20
LONGEST = 500


@final
class Audit:
    """Append to the log, and read its end. The file is this user's alone."""

    def __init__(self, path: Path) -> None:
        """Open the log; raise ConfigError when it cannot be kept: changes are not made unseen."""
        self._path = path
        try:
            make_private(path.parent)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise ConfigError(f"the audit log {path} cannot be opened: {error}") from error
        found = os.fstat(self._file)
        if found.st_uid != os.getuid() or not stat.S_ISREG(found.st_mode):
            os.close(self._file)
            raise ConfigError(f"the audit log {path} is not this user's file; set NbflowApp.audit_path")
        os.fchmod(self._file, 0o600)

    def note(self, *, user: str, action: str, target: str, given: dict[str, Any], outcome: str) -> None:
        """Write down one change."""
        entry = {
            "time": time.time(),
            "user": user,
            "action": action,
            "target": target,
            "chosen": {key: given[key] for key in CHOICE if key in given},
            "outcome": outcome[:LONGEST],
        }
        os.write(self._file, json.dumps(entry).encode("ascii") + b"\n")

    def last(self, limit: int) -> list[dict[str, Any]]:
        """Return the last `limit` entries, newest first."""
        begin = max(0, os.fstat(self._file).st_size - TAIL_BYTES)
        lines = os.pread(self._file, TAIL_BYTES, begin).splitlines()
        whole = lines[1:] if begin else lines
        return [json.loads(line) for line in reversed(whole[-limit:])]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
