import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from nbflow.core.events import Returned, TryFailed
from nbflow.core.states import Cause
from nbflow.errors import ConfigError, WorkerLost
from nbflow.executors.futures import FuturesExecutor
from tests.contracts.executors import Driver, RemoteExecutorContract, life

__all__ = ["life"]


class TestFuturesExecutorWithThreads(RemoteExecutorContract):
    @pytest.fixture(autouse=True)
    def pool(self) -> Iterator[None]:
        with ThreadPoolExecutor(1) as self.it:
            yield

    def make(self) -> FuturesExecutor:
        return FuturesExecutor("futures", pool=self.it)


def test_functions_of_a_notebook_run_in_a_process_pool() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        driver = Driver(FuturesExecutor("futures", pool=pool))
        offset = 40
        end = driver.run(lambda n: print("here") or os.getpid(), offset)
        assert isinstance(end, Returned)
        assert end.value != os.getpid()
        lost = driver.run(lambda: os._exit(1))
        assert isinstance(lost, TryFailed)
        assert lost.cause is Cause.LOST
        assert isinstance(lost.error, WorkerLost)
        assert "BrokenProcessPool" in lost.error.reason
        driver.close()


def test_what_is_no_pool_is_refused() -> None:
    with pytest.raises(ConfigError, match="submit"):
        FuturesExecutor(pool=object())  # type: ignore[arg-type]
