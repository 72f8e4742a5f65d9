"""Own the number of cores that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["available_cores"]

CGROUP = Path("/sys/fs/cgroup")


def available_cores(cgroup: Path = CGROUP) -> int:
    """Return how many cores this process may use: its affinity, within its control group's share of time."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    share = _quota(cgroup)
    return cores if share is None else max(1, min(cores, math.ceil(share)))


def _quota(cgroup: Path) -> float | None:
    """Return the cores' worth of time that the control group (version 2 or 1) grants; None for all."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    if not quota.strip().isdecimal():  # "max" or -1: no limit
        return None
    return int(quota) / int(period)
