from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbflow.apps.app import AppFunction
from nbflow.magics import register, unregister


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    register(shell)
    yield shell
    unregister(shell)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("magic", ["nbflow_app", "parsl_app"])
def test_a_cell_becomes_a_python_app(shell: InteractiveShell, magic: str) -> None:
    shell.run_cell("offset = 10").raise_error()
    shell.run_cell(
        f"%%{magic} area --inputs n seed=1 --walltime 5\nx = n * n\nx + seed + offset"
    ).raise_error()
    area = shell.user_ns["area"]
    assert isinstance(area, AppFunction)
    assert area.fn(3) == 20
    assert area.fn.__module__ == "__main__"


def test_a_cell_with_one_function_makes_it_an_app(shell: InteractiveShell) -> None:
    shell.run_cell("%%parsl_app --retries 2\ndef double(x: int) -> int:\n    return 2 * x").raise_error()
    assert isinstance(shell.user_ns["double"], AppFunction)
    assert shell.user_ns["double"].fn(4) == 8


@pytest.mark.parametrize("magic", ["%%bash_app greet", "%%nbflow_app greet --bash"])
def test_a_cell_becomes_a_bash_app(shell: InteractiveShell, magic: str) -> None:
    shell.run_cell(f"name = 'not this one'\n{magic.replace('%%', '#')}").raise_error()
    shell.run_cell(f"{magic}\necho hello {{name}} > {{outputs[0]}}").raise_error()
    assert shell.user_ns["greet"].fn("a b", outputs=["x"]) == "echo hello 'a b' > x"


def test_a_cell_without_a_name_is_refused(shell: InteractiveShell) -> None:
    assert "give the app a name" in str(shell.run_cell("%%nbflow_app\nx = 1\nx").error_in_exec)
    assert "give the app a name" in str(shell.run_cell("%%bash_app\necho").error_in_exec)


def test_help_shows_an_example(shell: InteractiveShell) -> None:
    for magic in ("nbflow_app", "parsl_app", "bash_app"):
        assert f"%%{magic} " in shell.find_cell_magic(magic).__doc__


def test_magics_can_be_taken_away(shell: InteractiveShell) -> None:
    unregister(shell)
    assert shell.find_cell_magic("nbflow_app") is None
    assert shell.find_line_magic("nbflow") is None
