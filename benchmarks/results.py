"""Keep what was measured: records, their medians, and their JSON lines."""

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import final

__all__ = ["Measurement", "Record", "Results"]


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """One peer doing one workload at one size."""

    peer: str
    workload: str
    size: int

    def __str__(self) -> str:
        return f"{self.peer} {self.workload} {self.size:,}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one measurement gave in one repeat: figures, or the error that prevented them."""

    measurement: Measurement
    repeat: int
    version: str = ""
    load_average: float
    figures: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Record":
        """Return the record that `to_json` wrote as `line`."""
        values = json.loads(line)
        return cls(**{**values, "measurement": Measurement(**values["measurement"])})


@final
class Results:
    """Answer questions about a list of records: medians over their repeats."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = tuple(records)

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read the records of a JSON lines file."""
        return cls(Record.from_json(line) for line in path.read_text().splitlines())

    def figure(self, peer: str, workload: str, name: str, *, size: int | None = None) -> float | None:
        """Return the median of a figure over the repeats, or None where it was not measured.

        Without a size, it is taken at the largest one measured.
        """
        values = self.repeats(peer, workload, name, size=size).values()
        return statistics.median(values) if values else None

    def repeats(self, peer: str, workload: str, name: str, *, size: int | None = None) -> dict[int, float]:
        """Return a figure by repeat; without a size, at the largest one measured."""
        by_size: dict[int, dict[int, float]] = {}
        for record in self.records:
            measured = record.measurement
            if (measured.peer, measured.workload) == (peer, workload) and name in record.figures:
                by_size.setdefault(measured.size, {})[record.repeat] = record.figures[name]
        return by_size.get(max(by_size, default=0) if size is None else size, {})

    def versions(self) -> dict[str, str]:
        """Return the version of every peer that was measured."""
        return {record.measurement.peer: record.version for record in self.records if record.version}

    def errors(self) -> list[Record]:
        """Return the records of measurements that failed."""
        return [record for record in self.records if record.error is not None]
