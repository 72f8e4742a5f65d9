"""Take measurements, each in a process, directory and state of its own."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import psutil

from benchmarks.environment import ROOT
from benchmarks.gauges import stop_processes
from benchmarks.results import Measurement, Record

__all__ = ["Driver"]

OUTPUT = "figures.json"
STANDARD_ERROR = "stderr.txt"


@final
@dataclass(frozen=True, slots=True)
class Driver:
    """Run `benchmarks.measure` with one interpreter and a limit of time per measurement."""

    python: Path
    timeout_seconds: float

    def run(self, measurements: Sequence[Measurement], repeats: int) -> Iterator[Record]:
        """Yield the record of every measurement in every repeat, as they come.

        All peers do a workload one after the other before the next begins, and all workloads are done
        before any is repeated: what else the machine does meets every peer alike. A measurement
        that failed is not repeated.
        """
        hopeless = set()
        for repeat in range(repeats):
            for measurement in measurements:
                if measurement in hopeless:
                    continue
                record = self.take(measurement, repeat)
                if record.error is not None:
                    hopeless.add(measurement)
                yield record

    def take(self, measurement: Measurement, repeat: int) -> Record:
        """Measure once, in a fresh process, and leave nothing of it behind."""
        load_average = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="nbflow-benchmark-") as name:
            directory = Path(name)
            error = self._run_process(measurement, directory)
            report = {} if error else json.loads((directory / OUTPUT).read_text())
        return Record(
            measurement=measurement, repeat=repeat, load_average=load_average, error=error, **report
        )

    def _run_process(self, measurement: Measurement, directory: Path) -> str | None:
        what = [measurement.peer, measurement.workload, str(measurement.size), OUTPUT]
        with (directory / STANDARD_ERROR).open("w+") as standard_error:
            process = subprocess.Popen(
                [self.python, "-m", "benchmarks.measure", *what],
                cwd=directory,
                env=_environment(directory),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=standard_error,
            )
            try:
                code = process.wait(self.timeout_seconds)
            except subprocess.TimeoutExpired:
                return f"not done after {self.timeout_seconds:g} s"
            finally:
                _stop_with_descendants(process)
            standard_error.seek(0)
            lines = standard_error.read().strip().splitlines()
        return None if code == 0 else f"exit code {code}: {lines[-1] if lines else 'no message'}"


def _stop_with_descendants(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        running = psutil.Process(process.pid)
        stop_processes([*running.children(recursive=True), running])


def _environment(directory: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        # Whatever a peer keeps for its user goes with the directory, on the disk of temporary files.
        "HOME": str(directory),
        "XDG_STATE_HOME": str(directory / "state"),
        "XDG_CACHE_HOME": str(directory / "cache"),
    }
