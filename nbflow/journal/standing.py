"""Own the count of tasks by state, kept from the stream with one byte a task. It reads nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import final

from nbflow.core.states import State

__all__ = ["Standing"]

UNKNOWN = 255


@final
class Standing:
    """Know where every task stands after the event number `seq`."""

    def __init__(self) -> None:
        self.seq = 0
        self._states = bytearray()
        self._counts = [0] * (UNKNOWN + 1)

    def apply(self, changes: Iterable[tuple[int, int, int]]) -> None:
        """Take note of changes `(seq, task, state)`, oldest first."""
        states, counts = self._states, self._counts
        for seq, task, state in changes:
            if task >= len(states):
                grown = max(1024, 2 * task) - len(states)
                states.extend(bytes([UNKNOWN]) * grown)
            counts[states[task]] -= 1
            counts[state] += 1
            states[task] = state
            self.seq = seq

    def counts(self) -> Counter[State]:
        """Count the tasks in each state; a state without tasks counts 0."""
        return Counter({state: self._counts[state] for state in State if self._counts[state]})
