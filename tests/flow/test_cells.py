import hashlib
from collections.abc import Iterator
from threading import Event

import pytest
from IPython.core.interactiveshell import InteractiveShell

import nbflow as nf

gate = Event()


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    nf.load("threads", workers=1)
    yield shell
    nf.clear()
    InteractiveShell.clear_instance()


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def test_tasks_know_the_cell_that_made_them(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "study.ipynb")
    source = "import nbflow as nf\nnf.python_app(abs)(-1).result(10)"
    shell.run_cell(source, store_history=True, cell_id="0f3a")
    (row,) = nf.tasks()
    assert (row.origin, row.execution_count) == ("In [1]", 1)
    assert (row.notebook, row.cell_id) == ("study.ipynb", "0f3a")
    assert row.source_hash == digest(source)


def test_a_cell_that_is_not_kept_has_no_number(shell: InteractiveShell) -> None:
    shell.run_cell("import nbflow as nf", store_history=True)
    shell.run_cell("nf.python_app(abs)(-1).result(10)", store_history=False)
    (row,) = nf.tasks()
    assert (row.origin, row.cell_id, row.source_hash) == (None, None, None)


def test_the_cell_that_loads_is_known_too(shell: InteractiveShell) -> None:
    nf.clear()
    shell.run_cell("import nbflow as nf; nf.load('threads'); nf.python_app(abs)(1)", store_history=True)
    nf.gather(nf.python_app(abs)(2))
    assert {row.origin for row in nf.tasks()} == {"In [1]"}


def test_a_join_apps_tasks_come_from_its_cell_however_late(shell: InteractiveShell) -> None:
    gate.clear()
    shell.user_ns["gate"] = gate
    shell.run_cell("import nbflow as nf", store_history=True)
    shell.run_cell("@nf.join_app\ndef late():\n    gate.wait(20)\n    return nf.python_app(abs)(-2)")
    shell.run_cell("joined = late()", store_history=True)
    shell.run_cell("gate.set(); joined.result(20)", store_history=True)
    assert shell.user_ns["joined"].result(20) == 2
    assert [row.origin for row in nf.tasks()] == ["In [2]", "In [2]"]


def test_it_asks_the_shell_once(shell: InteractiveShell) -> None:
    nf.clear()
    nf.load("threads", workers=1)
    assert len(shell.events.callbacks["pre_run_cell"]) == 1
