"""The `nbflow` command as a person types it: real processes, real exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import nbflow as nf

@nf.python_app
def invert(n):
    return 1 / n

futures = [invert(n) for n in map(int, sys.argv[1:])]
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


def nbflow(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbflow", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_demo_says_what_pi_is() -> None:
    done = nbflow("demo", "--tasks", "8", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pi is about 3.1")
    assert "12 done" in nbflow("show").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"), [(["1", "2"], 0, "2 done"), (["1", "0"], 1, "1 done, 1 failed")]
)
def test_a_scripts_tasks_are_waited_for(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = nbflow("run", "--workers", "1", str(script), *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert words in done.stderr
    assert nbflow("ps", "last").returncode == code


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_the_exit_code_is_the_scripts(tmp_path: Path, text: str, code: int, words: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(text)
    done = nbflow("run", "--workers", "1", str(script))
    assert done.returncode == code
    assert words in done.stderr
    assert "runpy" not in done.stderr


def test_programs_are_told_as_json(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "print('mine')\n")
    done = nbflow("run", "--workers", "1", "--json", str(script), "1", "0")
    mine, line = done.stdout.splitlines()
    assert (mine, json.loads(line)["tasks"]) == ("mine", {"done": 1, "failed": 1})
    assert json.loads(nbflow("demo", "--tasks", "8", "--json").stdout)["darts"] == 8 * 200_000


def test_a_missing_script_is_told() -> None:
    done = nbflow("run", "nothing.py")
    assert (done.returncode, done.stderr) == (2, "nbflow: there is no script nothing.py\n")


def test_a_closed_pipe_ends_quietly() -> None:
    assert nbflow("demo", "--tasks", "8").returncode == 0
    line = f"{sys.executable} -m nbflow tail -n 0 --json | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""


def test_the_doctor_looks_at_the_real_thing() -> None:
    done = nbflow("doctor")
    assert "first task" in done.stdout
    assert "no problems found" in done.stdout
    assert done.returncode == 0
