"""Start and stop the real services that tests need: Slurm, Grid Engine, OpenSSH servers, JupyterHub.

Their scripts lie beside the checkout, in `../shared/services`, or where `NBFLOW_SERVICES` says. Test runs
share one set of services: the last one to leave stops what test runs have started, and nothing else.
"""

import fcntl
import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = Path(os.environ.get("NBFLOW_SERVICES") or ROOT.parent / "shared" / "services")
STATE = Path(
    os.environ.get("NBFLOW_SERVICES_DIR") or f"{tempfile.gettempdir()}/nbflow-services-{os.getuid()}"
)
DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
OURS = b"started by tests\n"


class Service:
    """One service that answers; `env` is what its clients need in their environment."""

    def __init__(self, script: Path) -> None:
        self.script = script
        self.env = self._client_settings()

    def call(self, *words: str) -> str:
        """Run a verb of the service's script (`totp`, `kill-node nb2`) and return what it prints."""
        return _call(self.script, *words).stdout.strip()

    def _client_settings(self) -> dict[str, str]:
        exports = self.call("env")
        shown = subprocess.run(
            ["bash", "-c", f"{exports}\nenv -0"], capture_output=True, text=True, check=True
        ).stdout
        settings = dict(line.split("=", 1) for line in shown.split("\0") if line)
        return {name: settings[name] for name in re.findall(r"\b(\w+)=", exports) if name in settings}


@contextmanager
def service(name: str, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Service]:
    """Have the service answer inside the block; skip the test, with the reason, where it cannot.

    `settings` are for its script's environment, where this starts it.
    """
    script = SCRIPTS / f"{name}.sh"
    if not script.is_file():
        pytest.skip(f"{name}: no script at {script}; set NBFLOW_SERVICES to the folder of the services")
    if os.geteuid() != 0:
        pytest.skip(f"{name}: its script needs root")
    STATE.mkdir(mode=0o755, exist_ok=True)
    with (STATE / f"{name}.users").open("a+b") as users_file:
        _enter(script, users_file, settings)
        try:
            yield Service(script)
        finally:
            _leave(script, users_file)


def _enter(script: Path, users_file: IO[bytes], settings: Mapping[str, str]) -> None:
    fcntl.flock(users_file, fcntl.LOCK_EX)
    if _call(script, "status", check=False).returncode != 0:
        started = _call(script, "start", check=False, settings=settings)
        if started.returncode != 0:
            pytest.fail(f"{script.name} start: {started.stdout}{started.stderr}")
        users_file.write(OURS)
        users_file.flush()
    fcntl.flock(users_file, fcntl.LOCK_SH)


def _leave(script: Path, users_file: IO[bytes]) -> None:
    try:
        fcntl.flock(users_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # others use it; the last one stops it
    users_file.seek(0)
    if users_file.read():
        _call(script, "stop")
    users_file.truncate(0)


def _call(
    script: Path, *words: str, check: bool = True, settings: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **settings}
    return subprocess.run(
        [script, *words], capture_output=True, text=True, check=check, timeout=600, env=environment
    )


@pytest.fixture(scope="session")
def sshd() -> Iterator[Service]:
    """Have OpenSSH servers with four ways of logging in."""
    with service("sshd") as running:
        yield running


@pytest.fixture(scope="session")
def slurm() -> Iterator[Service]:
    """Have a Slurm cluster of two virtual nodes."""
    with service("slurm") as running:
        yield running


@pytest.fixture(scope="session")
def gridengine() -> Iterator[Service]:
    """Have a Grid Engine of one host."""
    with service("gridengine") as running:
        yield running


@pytest.fixture(scope="session")
def jupyterhub() -> Iterator[Service]:
    """Have a JupyterHub whose users' servers import this checkout."""
    settings = {"NBFLOW_HUB_EXTRA": " ".join(DEPENDENCIES), "PYTHONPATH": str(ROOT)}
    with service("jupyterhub", settings) as running:
        yield running
