from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from nbflow.apps.decorators import python_app
from nbflow.flow import current
from nbflow.flow.load import load
from nbflow.magics import register, unregister
from nbflow.magics.line import WORDS

Offered = Callable[[str], list[str]]


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offered]:
    """What Tab offers at the end of a cell, in a run where one task of the app `invert` failed."""
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    shell = InteractiveShell.instance()
    register(shell)
    load("threads", workers=1)
    python_app(invert)(0).exception(timeout=5)

    def offer(code: str) -> list[str]:
        with provisionalcompleter():
            return [found.text for found in shell.Completer.completions(code, len(code))]

    yield offer
    current.clear()
    unregister(shell)
    InteractiveShell.clear_instance()


def invert(n: int) -> float:
    return 1 / n


def test_words_come_first(offered: Offered) -> None:
    assert offered("%nbflow ") == list(WORDS)
    assert offered("x = 1\nrows = %nbflow re") == ["retry", "release", "resume"]
    assert offered("%nbflow help sk") == ["skip"]


def test_options_are_those_of_the_parser(offered: Offered) -> None:
    assert offered("%nbflow retry --app invert --me") == ["--memory"]
    assert offered("%nbflow undo ") == ["--help"]
    assert offered("%nbflow retry --on-failure ") == ["fail", "hold"]
    assert offered("%nbflow sites st") == ["start", "stop"]
    assert offered("%nbflow tasks upst") == ["upstream_failed"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cancel inve", "invert"),
        ("pause --app inve", "invert"),
        ("retry --app=inve", "invert"),
        ("retry --error Zero", "ZeroDivisionError"),
        ("retry --executors thr", "threads"),
        ("retry --executors threads --sites fron", "frontera"),
        ("skip --task ", "1"),
        ("debug last ", "1"),
        ("failures la", "last"),
        ("load thr", "threads"),
        ("sites check polar", "polaris"),
        ("sql SELECT * FROM att", "attempts"),
        ("sql --run las", "last"),
        ("sql --run last SELECT * FROM fai", "failures"),
    ],
)
def test_values_are_known_where_they_can_be(offered: Offered, line: str, found: str) -> None:
    assert offered(f"%nbflow {line}")[0] == found


def test_runs_are_offered_by_their_names(offered: Offered) -> None:
    run = current.current().run_id
    assert offered("%nbflow debug ") == ["last", run, "1", "--help"]
    assert offered(f"%nbflow load --resume {run[:10]}") == [run]


def test_cells_that_become_apps_are_completed_too(offered: Offered) -> None:
    assert offered("%%nbflow_app area --wall") == ["--walltime"]
    assert offered("%%bash_app greet --executors thr") == ["threads"]
    assert "--walltime" not in offered("%%nbflow_app area\n--wall")


def test_nothing_of_it_is_offered_elsewhere(offered: Offered) -> None:
    assert "retry" not in offered("re")
    assert offered("%nbflow fly ret") == []


def test_a_second_load_and_an_unload_leave_one_and_none(offered: Offered) -> None:
    shell = InteractiveShell.instance()
    register(shell)
    assert offered("%nbflow unp") == []
    assert len(shell.Completer.custom_matchers) == 1
    unregister(shell)
    assert shell.Completer.custom_matchers == []
