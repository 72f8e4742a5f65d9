import concurrent.futures
import time
from collections.abc import Iterator

import pytest

import nbflow as nf


@pytest.fixture(autouse=True)
def loaded() -> Iterator[None]:
    nf.load("threads", workers=2)
    yield
    nf.clear()


def test_it_is_an_executor_like_any_other() -> None:
    with nf.Executor() as executor:
        assert isinstance(executor, concurrent.futures.Executor)
        assert executor.submit(pow, 2, exp=5).result(20) == 32
        assert list(executor.map(abs, [-1, -2])) == [1, 2]
        failed = executor.submit(int, "x")
    assert isinstance(failed.exception(), ValueError)


def test_after_shutdown_it_takes_no_more_and_what_it_had_ends() -> None:
    executor = nf.Executor()
    slow = executor.submit(time.sleep, 0.05)
    executor.shutdown()
    assert slow.done()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(abs, 1)


def test_shutdown_can_cancel_what_waits() -> None:
    executor = nf.Executor()
    calls = [executor.submit(time.sleep, 0.05) for _ in range(20)]
    executor.shutdown(cancel_futures=True)
    assert all(call.done() for call in calls)
    assert any(call.cancelled() for call in calls)


def test_an_app_names_sites_as_it_names_executors() -> None:
    assert nf.python_app(sites=["threads"])(abs)(-1).result(20) == 1
    with pytest.raises(nf.errors.ConfigError, match="no executor is called 'far'"):
        nf.python_app(sites="far")(abs)(-1)
    with pytest.raises(nf.errors.ConfigError, match="executors= or sites="):
        nf.python_app(sites="a", executors="b")(abs)
