"""Own how a command is started on the nodes of a job: tables of the launchers' own words. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from nbflow.errors import ConfigError
from nbflow.providers.job import JobSpec

__all__ = ["LAUNCHERS", "TASK_LAUNCHERS", "launch", "launch_task"]

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


TASK_LAUNCHERS: Final[Mapping[str, tuple[str, ...]]] = {
    # On the node where the task is, by whatever MPI is there.
    "single": ("mpiexec", "-n", "{processes}"),
    # Beside the pilots, which are a step of the same job; what theirs was given is not inherited.
    "srun": (
        "srun",
        "--overlap",
        "--nodes={nodes}",
        "--nodelist={hosts}",
        "--ntasks={processes}",
        "--ntasks-per-node={processes_per_node}",
        "--cpus-per-task={cores_per_process}",
        "--export=ALL",
        "--kill-on-bad-exit=1",
    ),
    "mpiexec": ("mpiexec", "-n", "{processes}", "-hosts", "{hosts}", "-ppn", "{processes_per_node}"),
    "openmpi": ("mpiexec", "-n", "{processes}", "--host", "{hosts_and_slots}", "--bind-to", "none"),
}
"""Name -> words before the command of a task, which runs within a job on some of its nodes."""


def launch_task(
    launcher: str, hosts: Sequence[str], processes_per_node: int, cores_per_node: int
) -> tuple[str, ...]:
    """Return the words that start a task's command on these hosts, `processes_per_node` times on each."""
    values = {
        "nodes": len(hosts),
        "hosts": ",".join(hosts),
        "hosts_and_slots": ",".join(f"{host}:{processes_per_node}" for host in hosts),
        "processes": len(hosts) * processes_per_node,
        "processes_per_node": processes_per_node,
        "cores_per_process": max(1, cores_per_node // processes_per_node),
    }
    return tuple(word.format_map(values) for word in TASK_LAUNCHERS[launcher])


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
