"""Keep what the tests write out of the home of whoever runs them."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let journals of tests, and of the processes they start, live in a temporary directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBFLOW_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("NBFLOW_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
