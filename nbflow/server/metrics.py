"""Own what Prometheus is told. It asks for nothing itself."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterable
from typing import Any, final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

__all__ = ["Metrics"]


@final
class Metrics:
    """Count for one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._runs = Gauge("nbflow_runs", "Runs by how they stand", ["status"], registry=self._registry)
        self._tasks = Gauge("nbflow_tasks", "Tasks of live runs", ["state"], registry=self._registry)
        self.sockets = Gauge("nbflow_websockets", "Open WebSockets", registry=self._registry)
        self.commands = Counter(
            "nbflow_commands", "Commands to live runs", ["command", "outcome"], registry=self._registry
        )

    def text(self, runs: Iterable[dict[str, Any]]) -> bytes:
        """Write all figures in Prometheus' text format."""
        statuses: Count[str] = Count()
        states: Count[str] = Count()
        for run in runs:
            statuses[run["status"]] += 1
            if run["status"] == "running":
                states.update(run["tasks"])
        for gauge, label, counts in ((self._runs, "status", statuses), (self._tasks, "state", states)):
            gauge.clear()
            for name, count in counts.items():
                gauge.labels(**{label: name}).set(count)
        return generate_latest(self._registry)
