"""Own the one thread in which a session's connections live, and the door to it for other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar, final

__all__ = ["LoopThread"]

Value = TypeVar("Value")


@final
class LoopThread:
    """Run coroutines in an event loop of its own, for threads that have none."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Say whether coroutines can still be run."""
        return not self._loop.is_closed()

    def submit(self, work: Coroutine[Any, Any, Value]) -> concurrent.futures.Future[Value]:
        """Start a coroutine; its future may be waited for and cancelled."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run a coroutine and return its result; interrupting the wait cancels it."""
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs, end the loop and join its thread."""
        if self._loop.is_closed():
            return
        self.call(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()
