"""Keep what the tests write out of the home of whoever runs them."""

import signal
import tempfile
from collections.abc import Iterator

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what a script starts in the background inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let journals of tests, and of the processes they start, live in a temporary directory."""
    # Sockets in one with a short name: pytest's own are too long for the address of a socket.
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="nbflow-") as runtime:
        patch.setenv("NBFLOW_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("NBFLOW_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
