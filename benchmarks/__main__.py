"""Run the benchmarks from the command line: `python -m benchmarks [--quick]`."""

import argparse
import sys
from pathlib import Path

from benchmarks.driver import Driver
from benchmarks.environment import peers_python
from benchmarks.peers import PEERS
from benchmarks.report import markdown
from benchmarks.results import Record, Results
from benchmarks.suite import CLUSTER, FULL, QUICK, measurements
from benchmarks.workloads import COLD, STARTED

__all__ = ["main"]

RESULTS = Path(__file__).with_name("results")


def main(command_line: list[str] | None = None) -> int:
    """Measure, print the report, and return 1 if a measurement failed, else 0.

    A bar that is missed is reported and fails nothing: a timing depends on the machine.
    """
    options = _parse(command_line)
    if options.report is not None:
        print(markdown(Results.read(options.report)))
        return 0
    driver = Driver(options.python or peers_python(), options.timeout)
    chosen = [
        measurement
        for measurement in measurements(QUICK if options.quick else FULL)
        if measurement.peer in options.peers and measurement.workload in options.workloads
    ]
    options.output.mkdir(parents=True, exist_ok=True)
    records = []
    with (options.output / "records.jsonl").open("w") as lines:
        for record in driver.run(chosen, options.repeats):
            records.append(record)
            print(record.to_json(), file=lines, flush=True)
            print(_progress(record, options.repeats), file=sys.stderr, flush=True)
    results = Results(records)
    report = markdown(results)
    (options.output / "report.md").write_text(report)
    print(report)
    return 1 if results.errors() else 0


def _parse(command_line: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, fewer peers, one repeat")
    parser.add_argument("--repeats", type=int, help="medians of so many (default: 3, quick: 1)")
    usual = [peer for peer in PEERS if peer not in CLUSTER]
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=PEERS,
        default=usual,
        metavar="PEER",
        help=f"(default: all but {', '.join(CLUSTER)}, which need a Slurm cluster)",
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=[*STARTED, *COLD], default=[*STARTED, *COLD], metavar="WORKLOAD"
    )
    parser.add_argument("--timeout", type=float, default=180, help="seconds per measurement")
    parser.add_argument("--python", type=Path, help="an interpreter that has the peers (default: made)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of records.jsonl, report.md")
    parser.add_argument("--report", type=Path, help="only print the report of this JSON lines file")
    options = parser.parse_args(command_line)
    options.repeats = options.repeats or (1 if options.quick else 3)
    return options


def _progress(record: Record, repeats: int) -> str:
    figures = record.figures
    shown = record.error or ", ".join(f"{name} {figures[name]:,.4g}" for name in list(figures)[:2])
    return f"[{record.repeat + 1}/{repeats}] {record.measurement}: {shown}"


if __name__ == "__main__":
    sys.exit(main())
