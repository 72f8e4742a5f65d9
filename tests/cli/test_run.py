import json
import sys
from pathlib import Path

import pytest

from nbflow.cli import main
from nbflow.journal.places import runs_dir

SCRIPT = """
import sys
import nbflow as nf

@nf.python_app(cache=True)
def square(n): return n * n

print(sum(nf.gather([square(n) for n in range(int(sys.argv[1]))])))
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NBFLOW_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NBFLOW_EXECUTOR", "threads")
    monkeypatch.setattr("sys.argv", ["nbflow"])
    monkeypatch.setattr("sys.path", [*sys.path])
    path = tmp_path / "squares.py"
    path.write_text(SCRIPT)
    return str(path)


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, int]:
    capsys.readouterr()
    assert main(["run", "--plan", "--json", *arguments]) == 0
    (app,) = json.loads(capsys.readouterr().out.splitlines()[-1])["apps"]
    return app["reuse"], app["run"]


def test_a_plan_of_a_script_runs_none_of_its_tasks(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(capsys, script, "3") == (0, 3)
    assert not runs_dir().exists()
    assert main(["run", script, "3"]) == 0
    assert planned(capsys, script, "5") == (3, 2)
    assert main(["run", "--plan", script, "3"]) == 0
    assert capsys.readouterr().out.startswith("5\napp ")
    assert main(["run", "--plan", script, "5"]) == 0
    assert "squares.py:8: the result of a call of square is asked for" in capsys.readouterr().out
    assert len(list(runs_dir().iterdir())) == 1


def test_a_script_that_fails_says_so_in_its_plan(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--plan", script, "three"]) == 1
    assert "invalid literal" in capsys.readouterr().err
