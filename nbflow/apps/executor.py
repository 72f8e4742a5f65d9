"""Own a `concurrent.futures.Executor` whose calls are tasks: for people who want nothing else of nbflow."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, final

from nbflow.apps.app import AppFunction, options_for
from nbflow.flow.futures.future import AppFuture
from nbflow.flow.load import Loaded, load
from nbflow.wire.messages import Kind

__all__ = ["Executor"]

P = ParamSpec("P")
R = TypeVar("R")


@final
class Executor(concurrent.futures.Executor):
    """Submit calls to a site, as to any pool of the standard library.

    `site` is a name, a Site or Pilots(...); without one, tasks run where `nbflow.load` says, or in worker
    processes on this machine. It uses the dataflow kernel that is loaded when that is the same.
    """

    def __init__(self, site: Any = None, *, workers: int | None = None) -> None:
        self._loaded: Loaded | None = load(sites=site, workers=workers)
        self._apps: dict[Callable[..., Any], AppFunction[..., Any]] = {}
        self._futures: set[AppFuture[Any]] = set()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> AppFuture[R]:
        """Make a task of a call and return its future at once. Raises RuntimeError after `shutdown`."""
        if self._loaded is None:
            raise RuntimeError("this executor was shut down; make another one")
        app = self._apps.get(fn)
        if app is None:
            app = self._apps[fn] = AppFunction(fn, Kind.PYTHON, options_for(Kind.PYTHON))
        future = app(*args, **kwargs)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Take no more calls; what was loaded stays, until `nbflow.clear()`."""
        self._loaded = None
        left = list(self._futures)
        if cancel_futures:
            for future in left:
                future.cancel()
        if wait:
            concurrent.futures.wait(left)
