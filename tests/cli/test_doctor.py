import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.cli import checks, doctor, main
from nbflow.cli.checks import Finding, Verdict


def good() -> Iterator[Finding]:
    yield Finding("Python", Verdict.GOOD, "3.14")


def bad() -> Iterator[Finding]:
    yield Finding("disk", Verdict.BAD, "gone", "buy one")


def test_all_well_exits_with_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (good,))
    assert main(["doctor"]) == 0
    assert "no problems found" in capsys.readouterr().out


def test_a_problem_comes_with_advice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (good, bad))
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "-> buy one" in told
    assert "1 problem found" in told


def test_findings_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (bad,))
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "bad"


def test_the_journal_check_writes_and_leaves_nothing(state: Path) -> None:
    first, *_ = checks.check_journal()
    assert first.verdict is Verdict.GOOD
    assert list(state.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_problem(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "file").write_text("")
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(state / "file" / "below"))
    (finding,) = checks.check_journal()
    assert finding.verdict is Verdict.BAD
    assert "NBFLOW_STATE_DIR" in finding.advice


def test_a_worker_that_does_not_start_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "python", stderr="Traceback\nOSError: no more processes\n")

    monkeypatch.setattr(subprocess, "run", fail)
    (finding,) = checks.check_worker()
    assert (finding.verdict, finding.found) == (Verdict.BAD, "OSError: no more processes")


def test_a_missing_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "NEEDED", ("no-such-distribution",))
    monkeypatch.setattr(checks, "NOTEBOOK", ())
    (finding,) = checks.check_packages()
    assert (finding.verdict, finding.found) == (Verdict.BAD, "is not installed")
