"""The harness measures nbflow and a peer of the standard library in processes of their own, and reports."""

import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.results import Measurement, Record, Results
from benchmarks.suite import FULL, QUICK, Entry, measurements


def run(tmp_path: Path, *options: str) -> int:
    """Run the harness with this interpreter, on the smallest throughput that makes sense."""
    return main(["--python", sys.executable, "--output", str(tmp_path), "--repeats", "1", *options])


def test_measures_nbflow_beside_a_peer_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = ("nbflow-threads", "standard-threads")
    monkeypatch.setattr("benchmarks.__main__.QUICK", (Entry("throughput", 10, peers),))

    assert run(tmp_path, "--quick") == 0

    report = capsys.readouterr().out
    assert report == (tmp_path / "report.md").read_text() + "\n"
    assert "| threads: no-op throughput against ThreadPoolExecutor |" in report
    results = Results.read(tmp_path / "records.jsonl")
    assert [record.measurement.peer for record in results.records] == list(peers)
    assert all(record.figures["tasks_per_second"] > 0 for record in results.records)


def test_a_measurement_that_fails_is_reported_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.QUICK", (Entry("chain", 0, ("standard-threads",)),))

    assert run(tmp_path, "--quick", "--repeats", "2") == 1

    assert "| standard-threads chain 0 | exit code 1: ValueError: wrong results" in capsys.readouterr().out
    assert len(Results.read(tmp_path / "records.jsonl").records) == 1


@pytest.mark.parametrize("suite", [FULL, QUICK])
def test_a_suite_measures_nothing_twice(suite: tuple[Entry, ...]) -> None:
    chosen = measurements(suite)
    assert len(set(chosen)) == len(chosen)


def test_records_survive_their_json() -> None:
    record = Record(
        measurement=Measurement("dask", "chain", 7),
        repeat=1,
        version="2",
        load_average=0.5,
        figures={"tasks_per_second": 3.5},
    )
    assert Record.from_json(record.to_json()) == record
