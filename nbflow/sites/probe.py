"""Look around on the other side, with nothing but its own standard library, and print JSON.

It is sent as text and run by the site's interpreter, which may be old and may have nothing installed.
"""

import json
import os
import platform
import sys
import time


def version(name):
    """Return the installed version of a distribution, or None."""
    try:
        from importlib import metadata

        return metadata.version(name)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it cannot be used
        return None


def directory(path):
    """Try to write in a directory, made when missing; return the free bytes there, or what is wrong."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        name = os.path.join(path, ".nbflow-probe-%d" % os.getpid())
        with open(name, "w") as file:
            file.write("x" * 4096)
        os.remove(name)
        about = os.statvfs(path)
        return {"free_nbytes": about.f_bavail * about.f_frsize}
    except OSError as error:
        return {"problem": str(error)}


print(
    json.dumps(
        {
            "python": platform.python_version(),
            "executable": sys.executable,
            "packages": {name: version(name) for name in sys.argv[2:]},
            "time": time.time(),
            "directory": directory(sys.argv[1]),
        }
    )
)
