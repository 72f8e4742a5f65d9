"""Choose which peer meets which workload at which size.

All peers meet a workload at the same size, apart from the largest ones: 100,000 tasks would take engines that
need a millisecond each several minutes.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.peers import PEERS
from benchmarks.results import Measurement

__all__ = ["CLUSTER", "FULL", "QUICK", "Entry", "measurements"]

NBFLOW = ("nbflow-threads", "nbflow-processes", "nbflow-pilots")
STANDARD = ("standard-threads", "standard-processes")
CLUSTER = ("nbflow-slurm", "nbflow-local-and-slurm")  # for machines that can submit to a Slurm
SIMULATED = ("nbflow-100-nodes", "nbflow-10000-nodes")
FAST = NBFLOW + STANDARD
EVERY = tuple(peer for peer in PEERS if peer not in (*SIMULATED, *CLUSTER))
ENGINES = tuple(peer for peer in EVERY if peer not in FAST)
MEMO = ("nbflow-threads", "nbflow-processes", "parsl-threads", "parsl-htex-tuned")


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One workload at one size for some peers."""

    workload: str
    size: int
    peers: tuple[str, ...]


FULL = (
    Entry("import", 7, EVERY),
    Entry("start-up", 2, EVERY),
    Entry("latency", 300, EVERY),
    Entry("throughput", 10_000, EVERY),
    Entry("throughput-of-main", 10_000, FAST),
    Entry("memo-first", 10_000, MEMO),
    Entry("memo-again", 10_000, MEMO),
    Entry("memo-again", 100_000, ("nbflow-processes",)),
    Entry("fingerprint", 50, ("nbflow-processes",)),
    Entry("chain", 1_000, EVERY),
    Entry("map-reduce", 2_000, EVERY),
    Entry("fan-in", 10_000, EVERY),
    Entry("fan-in", 100_000, FAST),
    Entry("fan-out", 10_000, EVERY),
    # Not on ProcessPoolExecutor: chained by hand, the parent's callback submits all children from the
    # pool's own thread, which then blocks for good on the pipe that it alone would empty.
    Entry("fan-out", 100_000, (*NBFLOW, "standard-threads")),
    Entry("memory-outstanding", 10_000, EVERY),
    Entry("memory-finished", 10_000, EVERY),
    Entry("memory-growth", 100_000, FAST),
    Entry("payload", 200, EVERY),
    Entry("naps", 500, ("nbflow-processes", *CLUSTER)),
    Entry("scale", 1_000_000, SIMULATED),
)

QUICK = (
    Entry("import", 3, EVERY),
    Entry("start-up", 2, EVERY),
    Entry("latency", 100, EVERY),
    Entry("throughput", 1_000, ENGINES),
    Entry("throughput", 10_000, FAST),
    Entry("memo-first", 10_000, ("nbflow-processes",)),
    Entry("memo-again", 10_000, ("nbflow-processes",)),
    Entry("fingerprint", 50, ("nbflow-processes",)),
    Entry("chain", 200, ENGINES),
    Entry("chain", 1_000, FAST),
    Entry("fan-in", 10_000, FAST),
    Entry("fan-out", 10_000, FAST),
    Entry("memory-finished", 10_000, FAST),
    Entry("payload", 50, FAST),
)


def measurements(suite: tuple[Entry, ...]) -> list[Measurement]:
    """Return the measurements of `suite`, workload by workload and peer after peer."""
    return [Measurement(peer, entry.workload, entry.size) for entry in suite for peer in entry.peers]
