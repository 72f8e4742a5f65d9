import subprocess
import sys
from pathlib import Path

import pytest

from nbflow.cli import COMMANDS, main


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in COMMANDS if f"  {name}" not in told] == []
    assert "exit codes: 0" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: nbflow {command}" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["ps", "--nonsense"], ["show", "last", "first"]])
def test_wrong_usage_is_told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage: nbflow" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ps", "show", "tail"])
def test_an_unknown_run_is_told_without_a_traceback(
    state: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "nothing"]) == 2
    assert capsys.readouterr().err == "nbflow: no run is named 'nothing'; `nbflow ps` lists the runs\n"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nbflow ")


def test_starting_imports_no_engine() -> None:
    program = (
        "import nbflow.cli, sys; print([m for m in ('dill', 'rich', 'nbflow.flow') if m in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert seen.stdout == "[]\n"
