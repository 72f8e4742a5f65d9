"""Own the definitions that go along in a message with the values that need them."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any, final

from nbflow.wire.frames import Buffer
from nbflow.wire.functions import Function
from nbflow.wire.pickling import LARGE

__all__ = ["Luggage", "wrap"]


@final
class Luggage:
    """Collect the definitions that have to go along, each before those that need it."""

    def __init__(self, known: set[int]) -> None:
        self.definitions: list[tuple[Any, ...]] = []
        self.known = known

    def add(self, functions: Iterable[Function]) -> None:
        """Pack those of the functions, and of what they need, that the other side does not know."""
        waiting = list(functions)
        while waiting:
            function = waiting.pop()
            if function.token in self.known:
                continue
            definition = function.definition()
            self.known.add(definition.token)
            self.definitions.append(
                (definition.token, wrap(definition.payload), [need.token for need in definition.needs])
            )
            waiting.extend(definition.needs)


def wrap(data: Buffer) -> Any:
    """Let large data travel as a frame of its own."""
    return pickle.PickleBuffer(data) if len(data) >= LARGE else data
