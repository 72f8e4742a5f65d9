"""What a run finished as one file: for oneself, for another machine, for others."""

import os
import pickle
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.cli import main
from nbflow.errors import ResultsError
from nbflow.flow.former.past import DONE, index_of, own_key, results_path
from nbflow.memo.results import MAGIC, ResultsFile, read_blocks


def mark(name: str) -> None:
    with Path(os.environ["MARKS"]).open("a") as file:
        file.write(f"{name}\n")


def ran() -> list[str]:
    return sorted(Path(os.environ["MARKS"]).read_text().split())


@nf.python_app
def make(kind: str) -> Any:
    mark(kind)
    return {"short": 3, "pickled": {"a": [1, {2}]}, "large": b"x" * 100_000}[kind]


@nf.python_app
def size(value: Any) -> int:
    mark("size")
    return len(value)


KINDS = ["short", "pickled", "large"]


def work() -> list[Any]:
    made = make.map(KINDS)
    return nf.gather([*made, size(made[2])])


EXPECTED = [3, {"a": [1, {2}]}, b"x" * 100_000, 100_000]


@pytest.fixture(autouse=True)
def unloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MARKS", str(tmp_path / "marks"))
    yield
    nf.clear()


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Return a file of two runs, of which the second went on from the first."""
    run = nf.load("threads").run_id
    assert nf.gather(make.map(KINDS)) == EXPECTED[:3]
    nf.clear()
    nf.load("threads", resume=run)
    assert work() == EXPECTED
    nf.clear()
    assert ran() == sorted([*KINDS, "size"])
    assert nf.export_results("last", tmp_path / "study.results") == 4
    return tmp_path / "study.results"


def another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Go to where this user, or another, has another key and no runs."""
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "other"))


def test_a_run_goes_on_from_a_file(exported: Path) -> None:
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    nf.load("threads", resume=exported)
    assert work() == EXPECTED
    assert len(ran()) == 4


def test_what_somebody_else_wrote_is_opened_only_when_asked(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_machine(monkeypatch, tmp_path)
    for use in (lambda: nf.load("threads", resume=exported), lambda: nf.import_results(exported)):
        with pytest.raises(ResultsError, match=f"nbflow import --trust {exported}"):
            use()
    run = nf.import_results(exported, trust=True)
    nf.load("threads", resume=run)
    assert work() == EXPECTED
    assert len(ran()) == 4


def test_a_trap_in_a_file_is_never_sprung(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    block = list(read_blocks(exported, own_key()))[1]
    index = block.index.replace(pickle.dumps({"a": [1, {2}]}, protocol=5), pickle.dumps(Trap(), protocol=5))
    foreign = ResultsFile(tmp_path / "foreign", b"another key" * 3)
    foreign.append(index)
    foreign.close()
    whole = exported.read_bytes()
    (tmp_path / "changed").write_bytes(whole.replace(block.index, index))
    for name in ("foreign", "changed"):
        try:
            nf.load("threads", resume=tmp_path / name)
        except ResultsError:
            nf.load("threads")
        assert work() == EXPECTED
        nf.clear()
    with pytest.raises(ResultsError):
        nf.import_results(tmp_path / "foreign")
    assert not (tmp_path / "sprung").exists()


def test_a_result_that_was_damaged_on_disk_is_left_out_and_runs_again(tmp_path: Path) -> None:
    run = nf.load("threads").run_id
    assert work() == EXPECTED
    nf.clear()
    path = results_path(run)
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"xxxy", 1))
    assert nf.export_results(run, tmp_path / "rest") == 3
    (tmp_path / "marks").unlink()
    nf.load("threads", resume=tmp_path / "rest")
    assert work() == EXPECTED
    # What took the damaged one is not of this one.
    assert ran() == ["large", "size"]


@pytest.mark.parametrize("content", [b"", b"a letter", MAGIC, MAGIC + b"?" * 99])
def test_what_is_no_file_of_results_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    if content.startswith(MAGIC):
        assert nf.import_results(tmp_path / "file", trust=True)  # torn before its first block: it is empty
    else:
        with pytest.raises(ResultsError, match="holds no results"):
            nf.import_results(tmp_path / "file", trust=True)
        with pytest.raises(ResultsError, match="holds no results"):
            nf.load("threads", resume=tmp_path / "file")


def test_nonsense_that_is_trusted_is_told(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "file", b"key")
    file.append(index_of(DONE, [(1, 2)]))
    file.close()
    with pytest.raises(ResultsError, match="damaged, or are of another version"):
        nf.import_results(tmp_path / "file", trust=True)


def test_nothing_is_written_over_and_no_half_is_left(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="File exists; name another file"):
        nf.export_results("last", exported)
    with pytest.raises(ResultsError, match="no run 'none'"):
        nf.export_results("none", tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marks", "state", "study.results"]


def test_the_same_from_the_command_line(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "last", str(tmp_path / "again")]) == 0
    assert "wrote 4 results to " in capsys.readouterr().out
    assert main(["export", "last", str(exported)]) == 2
    another_machine(monkeypatch, tmp_path)
    assert main(["import", str(exported)]) == 2
    assert "were written by somebody else" in capsys.readouterr().err
    assert main(["import", "--trust", str(exported)]) == 0
    said = capsys.readouterr().out
    assert "to go on from it: nbflow.load(resume='" in said
    nf.load("threads", resume=said.split("'")[1])
    assert work() == EXPECTED
    assert len(ran()) == 4
