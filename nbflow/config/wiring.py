"""Own the building of a dataflow kernel from its description: the only place that knows all drivers."""

from __future__ import annotations

from nbflow.config.model import ExecutorSpec, Futures, Named, Processes, Threads
from nbflow.core.ids import ExecutorId
from nbflow.executors.protocol import Executor
from nbflow.executors.registry import find_executor

__all__ = ["build_executor"]


def build_executor(spec: ExecutorSpec) -> Executor:
    """Return the executor that `spec` describes, not started. Raises ConfigError for a name nobody provides."""
    match spec:
        case Futures():
            return find_executor("futures")(ExecutorId(spec.label), pool=spec.pool, workers=spec.workers)
        case Processes():
            return find_executor("processes")(ExecutorId(spec.label), spec.workers)
        case Threads():
            return find_executor("threads")(ExecutorId(spec.label), spec.workers)
        case Named():
            return find_executor(spec.name)(ExecutorId(spec.label), spec.workers)
        case _:
            return spec
