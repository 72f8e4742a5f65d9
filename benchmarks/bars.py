"""State what nbflow must reach, as a table, and judge results by it.

Every bar compares figures of one run: nbflow has its journal on, and everybody has two workers.
"""

import operator
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, final

from benchmarks.results import Results

__all__ = ["BARS", "Bar", "Verdict"]


class Reading(Protocol):
    """Something that results have a number for, or not."""

    def of(self, results: Results) -> float | None:
        """Return the number, or None where something it needs was not measured."""


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """The median of one figure of one peer, at one size or else the largest measured."""

    peer: str
    workload: str
    name: str
    size: int | None = None

    def of(self, results: Results) -> float | None:
        """Return the median over the repeats."""
        return results.figure(self.peer, self.workload, self.name, size=self.size)

    def repeats(self, results: Results) -> dict[int, float]:
        """Return the figure by repeat."""
        return results.repeats(self.peer, self.workload, self.name, size=self.size)


@final
@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure divided by another.

    The two are divided repeat by repeat: they were taken seconds apart then, with the machine in one mood.
    """

    dividend: Figure
    divisor: Figure

    def of(self, results: Results) -> float | None:
        """Return the median of the quotients, or None where no repeat has both figures."""
        dividends, divisors = self.dividend.repeats(results), self.divisor.repeats(results)
        quotients = [
            dividends[repeat] / divisor
            for repeat, divisor in divisors.items()
            if repeat in dividends and divisor
        ]
        return statistics.median(quotients) if quotients else None


class Bound(Enum):
    """On which side of the required number a reading must be."""

    AT_LEAST = "at least"
    AT_MOST = "at most"

    @property
    def holds(self) -> Callable[[float, float], bool]:
        """Return the comparison of a reading with the required number."""
        return operator.ge if self is Bound.AT_LEAST else operator.le


class Verdict(Enum):
    """Whether a bar is reached, in the words of the report."""

    REACHED = "yes"
    MISSED = "NO"
    NOT_MEASURED = "not measured"


@final
@dataclass(frozen=True, slots=True)
class Bar:
    """A reading and what it must be; `unit` is what the report writes behind both numbers."""

    name: str
    reading: Reading
    bound: Bound
    required: float
    unit: str

    def verdict(self, results: Results) -> Verdict:
        """Judge `results` by this bar."""
        value = self.reading.of(results)
        if value is None:
            return Verdict.NOT_MEASURED
        return Verdict.REACHED if self.bound.holds(value, self.required) else Verdict.MISSED


def _against(
    workload: str, figure: str, peer: str, *, nbflow: str = "nbflow-processes", size: int | None = None
) -> Ratio:
    return Ratio(Figure(nbflow, workload, figure, size), Figure(peer, workload, figure, size))


def _growth(workload: str) -> Ratio:
    small, large = (
        Figure("nbflow-processes", workload, "tasks_per_second", size) for size in (10_000, 100_000)
    )
    return Ratio(small, large)


def _of_processes(workload: str, figure: str) -> Figure:
    return Figure("nbflow-processes", workload, figure)


_LEAST, _MOST = Bound.AT_LEAST, Bound.AT_MOST
_RATE, _SUBMIT, _ROUND_TRIP = "tasks_per_second", "submit_microseconds", "median_milliseconds"
_PAUSE = "longest_pause_seconds"

BARS = (
    Bar(
        "threads: no-op throughput against ThreadPoolExecutor",
        _against("throughput", _RATE, "standard-threads", nbflow="nbflow-threads"),
        _LEAST,
        0.5,
        "x",
    ),
    Bar(
        "processes: no-op throughput against ProcessPoolExecutor",
        _against("throughput", _RATE, "standard-processes"),
        _LEAST,
        5,
        "x",
    ),
    Bar(
        "the same with a function of `__main__`",
        _against("throughput-of-main", _RATE, "standard-processes"),
        _LEAST,
        5,
        "x",
    ),
    Bar(
        "processes: no-op throughput against Parsl HTEX, tuned",
        _against("throughput", _RATE, "parsl-htex-tuned"),
        _LEAST,
        25,
        "x",
    ),
    Bar("processes: no-op throughput against Dask", _against("throughput", _RATE, "dask"), _LEAST, 50, "x"),
    Bar(
        "processes: no-op throughput with a cache against that without",
        Ratio(_of_processes("memo-first", _RATE), _of_processes("throughput", _RATE)),
        _LEAST,
        0.7,
        "x",
    ),
    Bar(
        "processes: throughput of remembered calls against Parsl HTEX's memo",
        _against("memo-again", _RATE, "parsl-htex-tuned", size=10_000),
        _LEAST,
        3,
        "x",
    ),
    Bar(
        "a remembered call, 100,000 of them",
        Figure("nbflow-processes", "memo-again", "hit_microseconds", 100_000),
        _MOST,
        100,
        "us",
    ),
    Bar(
        "fingerprint of a function with 50 helpers",
        _of_processes("fingerprint", "first_milliseconds"),
        _MOST,
        5,
        "ms",
    ),
    Bar(
        "pilots: no-op throughput against Parsl HTEX, tuned",
        _against("throughput", _RATE, "parsl-htex-tuned", nbflow="nbflow-pilots"),
        _LEAST,
        20,
        "x",
    ),
    Bar(
        "pilots: no-op throughput against Dask",
        _against("throughput", _RATE, "dask", nbflow="nbflow-pilots"),
        _LEAST,
        50,
        "x",
    ),
    Bar(
        "pilots: round trip against ipyparallel's direct view",
        _against("latency", _ROUND_TRIP, "ipyparallel-direct", nbflow="nbflow-pilots"),
        _MOST,
        1,
        "x",
    ),
    Bar(
        "processes: round trip against ProcessPoolExecutor",
        _against("latency", _ROUND_TRIP, "standard-processes"),
        _MOST,
        1.5,
        "x",
    ),
    Bar(
        "processes: chain against ProcessPoolExecutor by hand",
        _against("chain", _RATE, "standard-processes"),
        _LEAST,
        1,
        "x",
    ),
    Bar(
        "processes: chain against Parsl HTEX, tuned",
        _against("chain", _RATE, "parsl-htex-tuned"),
        _LEAST,
        5,
        "x",
    ),
    Bar(
        "threads: chain against Parsl threads",
        _against("chain", _RATE, "parsl-threads", nbflow="nbflow-threads"),
        _LEAST,
        5,
        "x",
    ),
    Bar(
        "threads: submit against ThreadPoolExecutor",
        _against("throughput", _SUBMIT, "standard-threads", nbflow="nbflow-threads"),
        _MOST,
        2,
        "x",
    ),
    Bar(
        "processes: submit against ThreadPoolExecutor",
        _against("throughput", _SUBMIT, "standard-threads"),
        _MOST,
        2,
        "x",
    ),
    Bar(
        "memory of a finished task whose future is held",
        _of_processes("memory-finished", "bytes_per_finished_task"),
        _MOST,
        2_500,
        "B",
    ),
    Bar(
        "memory that stays of a task whose future was dropped",
        _of_processes("memory-growth", "growth_bytes_per_task"),
        _MOST,
        100,
        "B",
    ),
    Bar("one parent, 10 x as many tasks: time per task", _growth("fan-out"), _MOST, 1.5, "x"),
    Bar("one task, 10 x as many parents: time per parent", _growth("fan-in"), _MOST, 1.5, "x"),
    Bar(
        "longest pause, 100,000 tasks with one parent",
        Figure("nbflow-processes", "fan-out", _PAUSE, 100_000),
        _MOST,
        1,
        "s",
    ),
    Bar(
        "longest pause, one task with 100,000 parents",
        Figure("nbflow-processes", "fan-in", _PAUSE, 100_000),
        _MOST,
        1,
        "s",
    ),
    Bar(
        "100 x as many nodes: time per task",
        Ratio(
            Figure("nbflow-100-nodes", "scale", "tasks_per_second"),
            Figure("nbflow-10000-nodes", "scale", "tasks_per_second"),
        ),
        _MOST,
        1.5,
        "x",
    ),
    Bar(
        "pilots: 1 MiB in and out against Parsl HTEX, tuned",
        _against("payload", "megabytes_per_second", "parsl-htex-tuned", nbflow="nbflow-pilots"),
        _LEAST,
        1,
        "x",
    ),
    Bar(
        "pilots: 1 MiB in and out against Dask",
        _against("payload", "megabytes_per_second", "dask", nbflow="nbflow-pilots"),
        _LEAST,
        1,
        "x",
    ),
    Bar(
        "pilots: 1 MiB in and out against ipyparallel's direct view",
        _against("payload", "megabytes_per_second", "ipyparallel-direct", nbflow="nbflow-pilots"),
        _LEAST,
        1,
        "x",
    ),
    Bar(
        "local processes and Slurm at once against Slurm alone",
        _against("naps", _RATE, "nbflow-slurm", nbflow="nbflow-local-and-slurm"),
        _LEAST,
        1,
        "x",
    ),
    Bar(
        "local processes and Slurm at once against local processes alone",
        _against("naps", _RATE, "nbflow-processes", nbflow="nbflow-local-and-slurm"),
        _LEAST,
        1,
        "x",
    ),
    Bar("`import nbflow`", _of_processes("import", "import_milliseconds"), _MOST, 150, "ms"),
    Bar("`nf.load()` to the first result", _of_processes("start-up", "first_result_seconds"), _MOST, 1, "s"),
)
