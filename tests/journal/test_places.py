import os
import stat
from pathlib import Path

import pytest

from nbflow.journal.places import journal_path, make_private, new_run_id, runs_dir, state_dir


def test_the_state_directory_is_chosen_by_the_environment(state: Path) -> None:
    assert state_dir() == state
    assert journal_path("r") == runs_dir() / "r" / "journal.sqlite" == state / "runs" / "r" / "journal.sqlite"


def test_without_a_choice_it_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBFLOW_STATE_DIR", raising=False)
    assert state_dir().name == "nbflow"


def test_run_ids_differ_and_sort_by_time() -> None:
    first, second = new_run_id(), new_run_id()
    assert first != second
    assert first[:15] <= second[:15]


def test_missing_directories_are_private_under_any_umask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b")
    finally:
        os.umask(mask)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o700, 0o700]
