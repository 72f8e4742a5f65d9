from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.journal.reader import Reader, open_run
from nbflow.journal.writer import Journal

from .sample import write_sample


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def sample(state: Path) -> Iterator[Journal]:
    journal = write_sample("20260101-120000-aaaa")
    yield journal
    journal.close("closed")


@pytest.fixture
def reader(sample: Journal) -> Iterator[Reader]:
    with open_run(sample.address) as reader:
        yield reader
