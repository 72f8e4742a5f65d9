from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.journal.writer import Journal
from tests.journal.sample import write_sample

RUN = "20260101-120000-aaaa"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def sample(state: Path) -> Iterator[Journal]:
    journal = write_sample(RUN)
    yield journal
    journal.close("closed")
