"""What tests of pilots share: a look behind the kernel, at blocks and at processes; a login over SSH."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import nbflow as nf
from nbflow.executors.pilots.executor import PilotsExecutor
from nbflow.executors.views import BlockView
from nbflow.flow import current
from nbflow.sites.model import LOCAL, Login, Site

from .nemesis import eventually
from .services import ROOT, Service


def executor() -> PilotsExecutor:
    """Return the one whose workers are pilots."""
    (found,) = [one for one in current.current().executors if isinstance(one, PilotsExecutor)]
    return found


def up() -> list[BlockView]:
    """Return the blocks that have nodes."""
    return [block for block in executor().blocks() if block.nodes]


def processes(tmp_path: Path, *words: str) -> list[psutil.Process]:
    """Return the processes whose command line has all these words, and the run's own directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        is_ours = str(tmp_path) in line and all(word in line for word in words)
        if is_ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def processes_of(*blocks: str) -> list[psutil.Process]:
    """Return the processes of these blocks' jobs, and whatever they have started."""
    return [
        process
        for process in psutil.process_iter(["environ", "status"])
        if (process.info["environ"] or {}).get("NBFLOW_BLOCK") in blocks
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def far(sshd: Service, tmp_path: Path) -> Iterator[Site]:
    """Give pilots behind a login over SSH, which reach this process through a relay only."""
    yield replace(
        LOCAL,
        name="far",
        login=Login(host="nbflow-self", ssh_config=sshd.env["NBFLOW_SSH_CONFIG"]),
        working_directory=str(tmp_path / "work"),
        python=sys.executable,
        setup=(f"export PYTHONPATH={ROOT}", f"export HOME={tmp_path / 'home'}"),
    )
    nf.clear()
    eventually(lambda: not processes(tmp_path))
