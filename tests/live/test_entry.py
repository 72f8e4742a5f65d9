from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.apps.decorators import python_app
from nbflow.errors import NotLoaded
from nbflow.flow import current
from nbflow.flow.load import load
from nbflow.live import progress, watch
from nbflow.live.terminal import TerminalView


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    load("threads", workers=1)
    yield
    current.clear()


def double(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize("show", [watch, progress])
def test_without_a_run_there_is_nothing_to_see(show: type) -> None:
    with pytest.raises(NotLoaded, match=r"nbflow\.load"):
        show()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("show", [watch, progress])
def test_outside_a_notebook_there_is_a_line(show: type, capsys: pytest.CaptureFixture[str]) -> None:
    app = python_app(double)
    mine, other = app(1), app(2)
    assert (mine.result(timeout=5), other.result(timeout=5)) == (2, 4)
    current.current().journal.flush()
    view = show({"mine": [mine]})
    assert isinstance(view, TerminalView)
    view.close()
    assert "1 of 1 task done" in str(view)
    assert "nbflow: 1 of 1 task done" in capsys.readouterr().err
