"""Own when and where tries ran: one span for each try that had a slot. Pure: it is fed rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple, final

from nbflow.core.states import State

__all__ = ["Span", "Spans"]


class Span(NamedTuple):
    """Tell of one try. Times are seconds since the epoch.

    It was `ready` to be sent, `sent` to its slot, `began` to run there, and `ended` with `state`. For a try
    that runs that is RUNNING, and `ended` is when it was looked at.
    """

    task: int
    lane: int
    ready: float
    sent: float
    began: float
    ended: float
    state: int


@final
class Spans:
    """Keep the spans of a run in flat arrays, some 50 bytes a try. `lanes` are the names of the slots."""

    def __init__(self) -> None:
        self.lanes: list[str] = []
        self._lane_of: dict[str, int] = {}
        self._ready: dict[int, float] = {}
        self._running: dict[int, tuple[int, float, float]] = {}
        self._whole = (array("l"), array("l"))
        self._times = (array("d"), array("d"), array("d"), array("d"))
        self._states = bytearray()

    def __len__(self) -> int:
        return len(self._states) + len(self._running)

    def note_ready(self, task: int, time: float) -> None:
        """Note that a task waits for a slot from now on."""
        self._ready[task] = time

    def note_sent(self, task: int, slot: str, time: float) -> None:
        """Note that a task went to a slot."""
        lane = self._lane_of.get(slot)
        if lane is None:
            lane = self._lane_of[slot] = len(self.lanes)
            self.lanes.append(slot)
        self._running[task] = (lane, self._ready.pop(task, time), time)

    def note_left(self, task: int, state: int, time: float, seconds: float | None) -> None:
        """Note that a task left its slot, after a call of so many seconds where that is known."""
        running = self._running.pop(task, None)
        if running is None:
            return
        lane, ready, sent = running
        began = sent if seconds is None else max(sent, time - seconds)
        for column, value in zip(self._whole, (task, lane), strict=True):
            column.append(value)
        for times, moment in zip(self._times, (ready, sent, began, time), strict=True):
            times.append(moment)
        self._states.append(state)

    def __iter__(self) -> Iterator[Span]:
        yield from map(Span._make, zip(*self._whole, *self._times, self._states, strict=True))

    @property
    def is_any_running(self) -> bool:
        """Tell whether a try is on a slot."""
        return bool(self._running)

    def running(self, now: float) -> Iterator[Span]:
        """Give the tries that run; several sent to one slot at once run one after the other."""
        for task, (lane, ready, sent) in self._running.items():
            yield Span(task, lane, ready, sent, sent, max(now, sent), State.RUNNING)
