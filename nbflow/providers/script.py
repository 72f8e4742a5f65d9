r"""Own the text of a job script: bash in which every value arrives byte for byte. Pure.

Batch systems look for their marks (`#PBS`, `#$`) at the beginnings of lines, some in the whole script. So no
value spans lines here: control characters are written as `$'\x0a'`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from nbflow.providers.job import JobSpec
from nbflow.providers.launchers import launch

__all__ = ["clock", "job_script", "mebibytes", "quote"]


def job_script(
    spec: JobSpec,
    *,
    mark: str = "",
    options: Iterable[str] = (),
    shebang: str = "#!/bin/bash -l",
    opening: Iterable[str] = (),
) -> str:
    """Return the script of a job: options for the batch system, opening, place, environment, set-up, command.

    `mark` is what the batch system's options begin with; without one there are none, nor directives.
    """
    lines = [shebang]
    if mark:
        lines += (f"{mark} {option}" for option in (*options, *spec.directives))
    lines += opening
    if spec.directory:
        lines.append(f"cd -- {quote(spec.directory)} || exit 1")
    lines += (f"export {name}={quote(value)}" for name, value in spec.environment.items())
    lines += spec.setup
    lines.append("exec -- " + " ".join(map(quote, launch(spec))))
    return "\n".join(lines) + "\n"


def quote(value: str) -> str:
    """Return a value as one word of bash, on one line."""
    if all(ord(mark) >= 32 and ord(mark) != 127 for mark in value):
        return shlex.quote(value)
    return f"$'{''.join(map(_escaped, value))}'"


def _escaped(mark: str) -> str:
    if mark in "\\'":
        return "\\" + mark
    if ord(mark) < 32 or ord(mark) == 127:
        return f"\\x{ord(mark):02x}"
    return mark


def clock(seconds: int) -> str:
    """Return a duration as `hours:minutes:seconds`, which every batch system reads."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def mebibytes(nbytes: int) -> int:
    """Return a size in MiB, rounded up."""
    return -(-nbytes // 2**20)
