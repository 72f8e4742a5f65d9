"""Look around on the other side, with nothing but its own standard library, and print JSON.

It is sent as text and run by the site's interpreter, which may be old and may have nothing installed.
"""

import getpass
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path


def version(name: str) -> "str | None":
    """Return the installed version of a distribution, or None."""
    try:
        from importlib import metadata

        return metadata.version(name)
    except ImportError:  # not installed, or a Python from before 3.8
        return None


def directory(path: Path) -> "dict[str, object]":
    """Try to write in a directory, made when missing; return the free bytes there, or what is wrong."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        tried = path / ".nbflow-probe-{}".format(os.getpid())  # noqa: UP032 - as old Pythons write it
        tried.write_text("x" * 4096)
        tried.unlink()
        about = os.statvfs(str(path))
    except OSError as error:
        return {"problem": str(error)}
    # File systems that make files as needed tell of none at all.
    return {
        "free_nbytes": about.f_bavail * about.f_frsize,
        "free_files": about.f_favail if about.f_files else None,
    }


def quota(path: Path) -> "list[str]":
    """Return the lines in which the file system says, with a `*`, that this user's quota is used up."""
    lines = []
    for command in (["lfs", "quota", "-q", "-u", getpass.getuser(), str(path)], ["quota", "-w"]):
        try:
            asked = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False
            )
        except (OSError, subprocess.SubprocessError):  # it is not there, or hangs with its server
            continue
        told = asked.stdout.decode(errors="replace").splitlines()
        lines += [" ".join(line.split()) for line in told if "*" in line]
    return lines


answer = {
    "python": platform.python_version(),
    "executable": sys.executable,
    "packages": {name: version(name) for name in sys.argv[2:]},
    "time": time.time(),
    "directory": directory(Path(sys.argv[1])),
    "quota": quota(Path(sys.argv[1])),
}
print(json.dumps(answer))
