from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import nbflow as nf


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NBFLOW_CACHE_DIR", str(tmp_path / "cache"))
    nf.load("threads", workers=1)
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbflow")
    yield shell
    nf.clear()


FIRST = "import nbflow as nf\nFACTOR = 2\n@nf.python_app(cache=True)\ndef times(n): return n * FACTOR\n"


def test_a_cell_is_planned_and_leaves_no_names_behind(shell: Any) -> None:
    shell.run_cell(FIRST).raise_error()
    shell.run_cell("first = times(3).result()").raise_error()

    def plan(cell: str) -> tuple[int, int]:
        (one,) = shell.run_cell_magic("nbflow_plan", "", cell)
        return one.reuse, one.run

    assert plan("!true\nresults = nf.gather(times.map([3, 4]))\n") == (1, 1)
    assert plan("FACTOR = 3\ntimes(3)") == (0, 1)
    assert plan(FIRST + "times(3)") == (1, 0)
    assert plan(FIRST.replace("n * F", "n + F") + "times(3)") == (0, 1)
    assert "results" not in shell.user_ns
    assert shell.user_ns["FACTOR"] == 2
    assert len(nf.tasks()) == 1
    with pytest.raises(UsageError, match="takes nothing"):
        shell.run_cell_magic("nbflow_plan", "now", "times(3)")
