"""Own how a command is started on the nodes of a job: tables of the launchers' own words. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from nbflow.errors import ConfigError
from nbflow.providers.job import JobSpec

__all__ = ["LAUNCHERS", "launch"]

LAUNCHERS: Final[Mapping[str, tuple[str, ...]]] = {
    # Once, on the first node.
    "single": (),
    # The job's environment is what its script made (`--export=ALL`); one process that ends does not end the
    # others; and since Slurm 22.05 a step does not inherit the cores for each process.
    "srun": (
        "srun",
        "--nodes={nodes}",
        "--ntasks={processes}",
        "--ntasks-per-node={processes_per_node}",
        "--cpus-per-task={cores_per_process}",
        "--export=ALL",
        "--kill-on-bad-exit=0",
        "--wait=0",
    ),
    # MPICH and its kin: Intel MPI, Cray PALS, MVAPICH.
    "mpiexec": ("mpiexec", "-n", "{processes}", "--ppn", "{processes_per_node}"),
    "openmpi": ("mpiexec", "-n", "{processes}", "--map-by", "ppr:{processes_per_node}:node"),
}
"""Name -> words before the command; a word is left out when the number in it was not asked for."""


def launch(spec: JobSpec) -> tuple[str, ...]:
    """Return the argv that starts a job's command on its nodes. Raises ConfigError for no such launcher."""
    words = LAUNCHERS.get(spec.launcher)
    if words is None:
        close = difflib.get_close_matches(spec.launcher, LAUNCHERS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"there is no launcher {spec.launcher!r}; there are: {', '.join(sorted(LAUNCHERS))}.{hint}"
        )
    numbers = {
        "nodes": spec.nodes,
        "processes": spec.nodes * spec.processes_per_node,
        "processes_per_node": spec.processes_per_node,
        "cores_per_process": cores_per_process(spec),
    }
    filled = (word.format_map(numbers) for word in words)
    return (*(word for word in filled if not word.endswith("=None")), *spec.command)


def cores_per_process(spec: JobSpec) -> int | None:
    """Return the whole cores of each process of a job; None when the job asked for none."""
    if spec.cores_per_node is None:
        return None
    return max(1, spec.cores_per_node // spec.processes_per_node)
