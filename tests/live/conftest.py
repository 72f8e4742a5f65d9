from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.live.feed import Feed

from .sample import SampleRun


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleRun]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    run = SampleRun()
    run.publish()
    yield run
    run.close()


@pytest.fixture
def feed(run: SampleRun) -> Iterator[Feed]:
    feed = Feed(run.address)
    yield feed
    feed.close()
