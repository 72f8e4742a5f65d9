import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.control.places import LONGEST_PATH, control_path
from nbflow.errors import ControlError

RUN = "20260101-120000-aaaa"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with a short name, which is where the state and temporary files are."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("NBFLOW_STATE_DIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        yield Path(folder)


def test_the_runtime_directory_comes_first(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "run"))
    path = control_path(RUN)
    assert path == short / "run" / "nbflow" / f"{RUN}.sock"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_state_directory_comes_next_with_a_folder_for_each_machine(short: Path) -> None:
    assert control_path(RUN).parent.parent == short / "control"


def test_a_long_path_is_passed_over(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(short / ("x" * LONGEST_PATH)))
    assert control_path(RUN).parent.parent == short


def test_a_directory_that_others_may_enter_is_passed_over(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "run" / "nbflow").mkdir(parents=True)
    (short / "run" / "nbflow").chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "run"))
    assert control_path(RUN).parent.parent == short / "control"


def test_a_link_that_somebody_put_there_is_not_followed(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short / "mine").mkdir(mode=0o700)
    (short / "run").mkdir()
    (short / "run" / "nbflow").symlink_to(short / "mine")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "run"))
    assert control_path(RUN).parent.parent == short / "control"


def test_no_place_is_told(short: Path) -> None:
    with pytest.raises(ControlError, match="Set XDG_RUNTIME_DIR"):
        control_path("x" * LONGEST_PATH)
