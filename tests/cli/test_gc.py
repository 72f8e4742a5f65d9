import json
from pathlib import Path

import pytest

from nbflow.cli import main
from nbflow.memo.store import Store
from tests.memo.test_store import add, values


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("NBFLOW_CACHE_DIR", str(tmp_path))
    store = Store(tmp_path)
    add(store, {1: "x" * 1_000_000, 2: "x" * 2_000_000})
    return store


def test_a_dry_run_removes_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--max-size", "0", "--dry-run"]) == 0
    assert capsys.readouterr().out == "would remove 2 results, 3.0 MB\nwould keep 0 results, 0.0 MB\n"
    assert len(values(store, 1, 2)) == 2


def test_what_is_over_the_limit_is_removed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--max-size", "2.5MB", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == 1
    assert len(values(store, 1, 2)) == 1


def test_what_was_used_lately_is_kept(store: Store) -> None:
    assert main(["gc"]) == main(["gc", "--older-than", "1h"]) == 0
    assert len(values(store, 1, 2)) == 2


def test_an_amount_that_cannot_be_read_is_told(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--older-than", "3x"]) == 2
    assert "give an amount such as 12h" in capsys.readouterr().err
