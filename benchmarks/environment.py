"""Make the virtual environment the peers live in, once, outside version control."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "peers_python"]

ROOT = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
HOME = Path(__file__).with_name(".venv")


def peers_python() -> Path:
    """Return the interpreter of the peers' environment, made or brought up to date if need be.

    It is brought up to date when the peers or nbflow's own dependencies were edited.
    """
    python = HOME / "bin" / "python"
    stamp, wanted = HOME / "installed-for", _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"benchmarks: installing the peers into {HOME.relative_to(ROOT)}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "-qq", "--requirement", REQUIREMENTS],
        check=True,
        cwd=ROOT,
        env={**os.environ, "NBFLOW_SKIP_JS": "1"},
    )
    stamp.write_text(wanted)
    return python


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in (REQUIREMENTS, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()
