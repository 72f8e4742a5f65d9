"""Write results as Markdown: tables of medians, the bars, and how quiet the machine was."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from benchmarks.bars import BARS, Bar
from benchmarks.peers import PEERS
from benchmarks.results import Results
from benchmarks.workloads import WORKERS

__all__ = ["markdown"]

NOTHING = "–"


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a figure of a workload, at one size or else the largest measured."""

    title: str
    workload: str
    figure: str
    digits: int = 0
    size: int | None = None


RATE = "tasks_per_second"

TABLES: dict[str, tuple[Column, ...]] = {
    "Independent no-op tasks": (
        Column("tasks/s", "throughput", RATE),
        Column("of `__main__`, tasks/s", "throughput-of-main", RATE),
        Column("submit, µs", "throughput", "submit_microseconds", 1),
        Column("round trip, ms", "latency", "median_milliseconds", 2),
        Column("its 99th percentile, ms", "latency", "p99_milliseconds", 2),
        Column("import, ms", "import", "import_milliseconds"),
        Column("start to first result, s", "start-up", "first_result_seconds", 2),
    ),
    "Results that are remembered": (
        Column("first calls, tasks/s", "memo-first", RATE),
        Column("equal calls, tasks/s", "memo-again", RATE, size=10_000),
        Column("an equal call, µs", "memo-again", "hit_microseconds", 1, size=10_000),
        Column("of 100,000, µs", "memo-again", "hit_microseconds", 1, size=100_000),
        Column("50 helpers, first look, ms", "fingerprint", "first_milliseconds", 1),
        Column("further looks, µs", "fingerprint", "again_microseconds", 1),
    ),
    "Dependencies, in tasks/s": (
        Column("chain", "chain", RATE),
        Column("map-reduce", "map-reduce", RATE),
        Column("fan-in of 10,000", "fan-in", RATE, size=10_000),
        Column("of 100,000", "fan-in", RATE, size=100_000),
        Column("longest pause, s", "fan-in", "longest_pause_seconds", 2, size=100_000),
        Column("fan-out to 10,000", "fan-out", RATE, size=10_000),
        Column("to 100,000", "fan-out", RATE, size=100_000),
        Column("longest pause, s", "fan-out", "longest_pause_seconds", 2, size=100_000),
    ),
    "Memory and payload": (
        Column("outstanding, B/task", "memory-outstanding", "bytes_per_outstanding_task"),
        Column("finished and held, B/task", "memory-finished", "bytes_per_finished_task"),
        Column("dropped, B/task", "memory-finished", "bytes_per_dropped_task"),
        Column("growth, B/task", "memory-growth", "growth_bytes_per_task"),
        Column("1 MiB in and out, MB/s", "payload", "megabytes_per_second"),
    ),
    "A million tasks on simulated nodes of 64 slots": (
        Column("tasks/s", "scale", RATE),
        Column("CPU, µs/task", "scale", "client_cpu_microseconds", 1),
        Column("memory, B/task", "scale", "bytes_per_task"),
    ),
    "CPU per task, in µs": (
        Column("throughput, here", "throughput", "client_cpu_microseconds", 1),
        Column("elsewhere", "throughput", "others_cpu_microseconds", 1),
        Column("round trip, here", "latency", "client_cpu_microseconds"),
        Column("elsewhere", "latency", "others_cpu_microseconds"),
        Column("chain, here", "chain", "client_cpu_microseconds", 1),
        Column("elsewhere", "chain", "others_cpu_microseconds", 1),
    ),
}


def markdown(results: Results) -> str:
    """Return the whole report on `results`."""
    parts = [_conditions(results)]
    parts += [_figures(title, columns, results) for title, columns in TABLES.items()]
    parts += [_bars(results), _errors(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _conditions(results: Results) -> str:
    loads = [record.load_average for record in results.records]
    repeats = 1 + max(record.repeat for record in results.records)
    versions = ", ".join(f"{peer} {version}" for peer, version in results.versions().items())
    return (
        f"Medians of {repeats}; {WORKERS} workers on {os.cpu_count()} cores, {platform.system()}; "
        f"load average before a measurement: median {statistics.median(loads):.1f}, "
        f"highest {max(loads):.1f}.\n"
        f"{versions}."
    )


def _figures(title: str, columns: Sequence[Column], results: Results) -> str:
    rows = []
    for peer in PEERS:
        cells = [_cell(peer, column, results) for column in columns]
        if set(cells) != {NOTHING}:
            rows.append([peer, *cells])
    return _table(title, ["peer", *(column.title for column in columns)], rows) if rows else ""


def _cell(peer: str, column: Column, results: Results) -> str:
    value = results.figure(peer, column.workload, column.figure, size=column.size)
    return NOTHING if value is None else f"{value:,.{column.digits}f}"


def _bars(results: Results) -> str:
    header = ["bar", "measured", "required", "reached"]
    return _table("Bars", header, [_bar_row(bar, results) for bar in BARS])


def _bar_row(bar: Bar, results: Results) -> list[str]:
    value = bar.reading.of(results)
    measured = NOTHING if value is None else f"{value:,.3g} {bar.unit}"
    required = f"{bar.bound.value} {bar.required:,g} {bar.unit}"
    return [bar.name, measured, required, bar.verdict(results).value]


def _errors(results: Results) -> str:
    rows = [[str(record.measurement), record.error or ""] for record in results.errors()]
    return _table("Measurements that failed", ["measurement", "error"], rows) if rows else ""


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join([f"### {title}", "", *(f"| {' | '.join(line)} |" for line in lines)])
