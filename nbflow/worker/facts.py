"""Own what a pilot tells about itself when it registers, and whether a kernel can work with it."""

from __future__ import annotations

import os
import pickle
import platform
import socket
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from nbflow._version import __version__
from nbflow.core.task import Resources
from nbflow.wire.frames import CorruptMessage
from nbflow.worker.cores import available_cores

__all__ = [
    "AUTO",
    "BLOCK",
    "facts",
    "mismatches",
    "offer_of",
    "own_address",
    "owner_of",
    "sees_the_same_files",
]

AUTO: Final = "auto"

BLOCK: Final = "NBFLOW_BLOCK"
"""The environment variable in which a job is told the name of its block."""

JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "JOB_ID", "LSB_JOBID")
NODE_VARIABLES = ("SLURMD_NODENAME",)

HOST_CHARACTERS: Final = 255
MOST: Final = 1 << 62

MUST_AGREE: Final = {
    "python": "Python",
    "nbflow": "nbflow",
    "dill": "dill",
    "pickle_protocol": "the pickle protocol",
}


def facts() -> dict[str, Any]:
    """Return what this process is and has, as JSON can carry it."""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "nbflow": __version__,
        "dill": _version("dill"),
        "pickle_protocol": pickle.HIGHEST_PROTOCOL,
        "host": next((os.environ[name] for name in NODE_VARIABLES if os.environ.get(name)), platform.node()),
        "pid": os.getpid(),
        "cores": available_cores(),
        "memory": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "job": next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), ""),
        "block": os.environ.get(BLOCK, ""),
        "executable": sys.executable,
        "package": str(Path(__file__).parent.parent),
    }


def mismatches(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return in words what differs between two sides and must not."""
    return [
        f"{name} is {theirs.get(key)} there and {ours[key]} here"
        for key, name in MUST_AGREE.items()
        if theirs.get(key) != ours[key]
    ]


def sees_the_same_files(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Tell whether the other side runs from the same Python environment, as far as paths can tell."""
    return all(ours[key] == theirs.get(key) for key in ("executable", "package"))


def offer_of(theirs: Mapping[str, Any]) -> tuple[str, Resources]:
    """Return a pilot's host and what it has, as it tells. Raises CorruptMessage for what none can have."""
    host, amounts = theirs.get("host"), [theirs.get(name) for name in ("cores", "memory", "gpus")]
    if type(host) is not str or not 0 < len(host) <= HOST_CHARACTERS or not host.isprintable():
        raise CorruptMessage(f"a pilot says that its host is {str(host)[:100]!r}")
    has = [amount for amount in amounts if type(amount) is int and 0 <= amount < MOST]
    if has != amounts:
        raise CorruptMessage(f"a pilot on {host} says that it has {str(amounts)[:100]}")
    return host, Resources(*has)


def owner_of(theirs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells the process of a pilot from any other."""
    return tuple(theirs.get(name) for name in ("host", "job", "pid"))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "missing"


def _gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def own_address(given: str) -> str:
    """Return an address of this machine: the one given, or for `auto` what its own name resolves to."""
    return socket.gethostbyname(socket.gethostname()) if given == AUTO else given
