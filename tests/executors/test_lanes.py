from tests.contracts.executors import RemoteExecutorContract, life
from tests.executors.lanes import LanesExecutor

__all__ = ["life"]


class TestLanes(RemoteExecutorContract):
    """Calls on the workers of a pilot keep every promise that those on this machine's do."""

    def make(self) -> LanesExecutor:
        return LanesExecutor()
