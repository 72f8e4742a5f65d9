"""Own the building of a dataflow kernel from its description: the only place that knows all drivers."""

from __future__ import annotations

from nbflow.config.model import ExecutorSpec, Futures, Named, Pilots, Processes, Threads
from nbflow.config.pilots import build_pilots
from nbflow.executors.protocol import Executor
from nbflow.executors.registry import find_executor

__all__ = ["build_executor"]


def build_executor(spec: ExecutorSpec) -> Executor:
    """Return the executor that `spec` describes, not started. Raises ConfigError for an unknown name."""
    match spec:
        case Futures():
            driver: Executor = find_executor("futures")(spec.label, pool=spec.pool, workers=spec.workers)
        case Processes():
            driver = find_executor("processes")(spec.label, spec.workers, spec.threads_per_worker)
        case Threads():
            driver = find_executor("threads")(spec.label, spec.workers)
        case Pilots():
            driver = build_pilots(spec)
        case Named():
            driver = find_executor(spec.name)(spec.label, spec.workers)
        case _:
            driver = spec
    return driver
