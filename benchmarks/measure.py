"""Take one measurement in this process: `python -m benchmarks.measure PEER WORKLOAD SIZE OUTPUT`.

The figures are written to the file OUTPUT, because peers print what they like. Nothing the peer
started outlives this program.
"""

import argparse
import json
from pathlib import Path

import psutil

from benchmarks.gauges import stop_processes
from benchmarks.peers import PEERS, Peer
from benchmarks.workloads import COLD, STARTED, WORKERS, Figures, Workload, warm_up

__all__ = ["main", "noop"]


def noop(number: int) -> int:
    """Return `number`: the function of `__main__` that `throughput-of-main` submits."""
    return number


def main() -> None:
    """Measure what the command line names and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("workload", choices=[*STARTED, *COLD])
    parser.add_argument("size", type=int)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    peer = PEERS[arguments.peer]()
    if arguments.workload in COLD:
        figures = COLD[arguments.workload](peer, arguments.size)
    else:
        figures = _measure_started(peer, STARTED[arguments.workload], arguments.size)
    report = {"version": peer.version(), "figures": figures}
    arguments.output.write_text(json.dumps(report))


def _measure_started(peer: Peer, workload: Workload, size: int) -> Figures:
    peer.prepare()
    peer.start(WORKERS)
    warm_up(peer)
    figures = workload(peer, size)
    # Listed before the peer closes: an orphan is no descendant any more.
    processes = psutil.Process().children(recursive=True)
    peer.close()
    stop_processes(processes)
    return figures


if __name__ == "__main__":
    main()
