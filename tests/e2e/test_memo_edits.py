"""What an edit makes run again, in worker processes: never a result of old code, hardly one too many."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from tests.wire.edits import BASE, EDITS, run_cell

FOUR = 4
DIFFERS_BY_PROCESS = "global that shadows a builtin"
FALSE_MISSES = {"renamed local"}
"""Documented in docs/caching.md."""


@pytest.fixture(scope="module", autouse=True)
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBFLOW_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        nf.load("processes", workers=2)
        assert app_of(BASE)(FOUR).exception(60) is None
        yield
        nf.clear()


def app_of(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run_cell(source, namespace)
    return nf.python_app(cache=True)(namespace["app"])


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_runs_what_it_changed_and_nothing_else(edit: str) -> None:
    before, after, is_hit = EDITS[edit]
    app = app_of(BASE.replace(before, after) if before else BASE)
    future = app(FOUR)
    result = future.result(60)
    assert edit == DIFFERS_BY_PROCESS or result == app.fn(FOUR)
    assert future.task.why().startswith("hit" if is_hit else "miss")


def test_few_edits_that_change_nothing_make_it_run() -> None:
    assert len(EDITS) >= 30
    harmless = {name for name, (_, _, is_hit) in EDITS.items() if is_hit}
    assert len(harmless) >= 15
    assert EDITS.keys() - harmless >= FALSE_MISSES
    assert len(FALSE_MISSES) <= 2


SCRIPT = f"""
import nbflow as nf
{BASE}
if __name__ == "__main__":
    nf.load("processes", workers=1)
    future = nf.python_app(cache=True)(app)({FOUR})
    future.result(60)
    print(future.task.why().partition(":")[0])
"""


def test_another_process_and_another_file_change_nothing(tmp_path: Path) -> None:
    told = []
    for name, source in {
        "first.py": SCRIPT,
        "second.py": SCRIPT,
        "third.py": f"# Moved.\n\n{SCRIPT}",
    }.items():
        (tmp_path / name).write_text(source)
        ran = subprocess.run(
            [sys.executable, str(tmp_path / name)], capture_output=True, text=True, check=True, timeout=60
        )
        told.append(ran.stdout.strip())
    assert told[1:] == ["hit", "hit"]


def test_a_module_counts_as_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "edited_project.py"
    file.write_text("def f(n):\n    return n + 1\n")
    source = "import edited_project\ndef app(n):\n    return edited_project.f(n)\n"
    nf.clear()
    nf.load("processes", workers=2)
    assert app_of(source)(FOUR).result(60) == 5
    file.write_text("def f(n):\n    return n + 1  # A comment.\n\n\ndef g(n):\n    return n\n")
    importlib.reload(sys.modules["edited_project"])
    same = app_of(source)(FOUR)
    assert same.result(60) == 5
    assert same.task.why().startswith("hit")
    file.write_text("def f(n):\n    return n + 2222\n")
    edited = app_of(source)(FOUR)
    assert edited.result(60) == 5, "it was not loaded again: the old code is what runs"
    importlib.reload(sys.modules["edited_project"])
    nf.clear()
    nf.load("processes", workers=2)
    changed = app_of(source)(FOUR)
    assert changed.result(60) == 2226
    assert "    -    return n + 1" in changed.task.why()
