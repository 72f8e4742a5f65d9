"""Own who takes the calls of a thread in place of the dataflow kernel: a planner, while it plans."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from nbflow.core.task import Options
from nbflow.data.file import File
from nbflow.flow.futures.future import AppFuture
from nbflow.flow.spec import AppSpec
from nbflow.wire.messages import Directive

__all__ = ["STAND_INS", "Taker", "stand_in", "standing_in"]


class Taker(Protocol):
    """Take calls of apps, as the dataflow kernel does."""

    run_dir: Path

    def submit(
        self,
        spec: AppSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        options: Options | None = None,
        directive: Directive = ...,
        outputs: Sequence[File] = (),
    ) -> AppFuture[Any]:
        """Take one call and return its future."""

    def submit_all(
        self, spec: AppSpec, calls: Iterable[tuple[Any, ...]], directive: Directive = ...
    ) -> list[AppFuture[Any]]:
        """Take many calls of one app and return their futures."""

    def derive(self, operation: str, future: AppFuture[Any], key: Any) -> AppFuture[Any]:
        """Return a future of a tiny operation on a future's result."""


STAND_INS: dict[int, Taker] = {}
"""By the number of the thread. Empty but while somebody plans, which is what a call has time to look at."""


def stand_in() -> Taker | None:
    """Return who takes the calls of this thread, None when the dataflow kernel does."""
    return STAND_INS.get(threading.get_ident())


@contextlib.contextmanager
def standing_in(taker: Taker) -> Iterator[None]:
    """Let `taker` have the calls of this thread."""
    thread = threading.get_ident()
    former = STAND_INS.get(thread)
    STAND_INS[thread] = taker
    try:
        yield
    finally:
        if former is None:
            del STAND_INS[thread]
        else:
            STAND_INS[thread] = former
