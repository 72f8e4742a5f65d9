"""Pretend to be a site with very many nodes: what the core and the loop cost when nothing runs anywhere.

A node has 64 slots. Calls end in the order in which they came, once nine tenths of all slots are taken or
nothing more comes: so that slots all over the site fill and empty, as those of a busy site do.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, final

from nbflow.core.capacity import Capacity
from nbflow.core.events import Returned
from nbflow.core.ids import ExecutorId, NodeId, SlotId
from nbflow.core.task import Resources
from nbflow.worker.happenings import Exit, NodeUp

__all__ = ["SLOTS_PER_NODE", "SimulatedSite"]

SLOTS_PER_NODE = 64
BATCH = 1_000
QUIET_SECONDS = 0.005
TAKES_SECONDS = 10.0  # long enough that each call has a slot of its own


@final
class SimulatedSite:
    """An executor of `nodes` nodes; each call returns its first argument."""

    is_remote = False

    def __init__(self, nodes: int) -> None:
        self.label = ExecutorId("simulated")
        self._nodes = nodes
        self._hand: deque[Any] = deque()
        self._came = threading.Event()
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="simulated", daemon=True)

    def start(self, post: Callable[[Sequence[Any]], None]) -> Capacity:
        """Bring all nodes up at once."""
        self._post = post
        total = Resources(cores=SLOTS_PER_NODE, memory=256 << 30)
        post([self._node(number, total) for number in range(self._nodes)])
        self._thread.start()
        return Capacity((), total, nodes=self._nodes)

    def _node(self, number: int, total: Resources) -> NodeUp:
        name = f"n{number}"
        slots = tuple(SlotId(f"{self.label}/{name}/{slot}") for slot in range(SLOTS_PER_NODE))
        return NodeUp(
            executor=self.label, node=NodeId(name), block=f"b{number // 100}", slots=slots, total=total
        )

    def send(self, slot: SlotId, calls: Sequence[Any]) -> None:
        """Take calls in hand."""
        self._hand.extend(calls)
        self._came.set()

    def drop(self, tries: Collection[Any]) -> None:
        """Nothing runs: there is nothing to stop."""

    def recall(self, tries: Collection[Any]) -> None:
        """Every call counts as started."""

    def close(self, how: Exit) -> None:
        """End the thread."""
        self._is_open = False
        self._came.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        busy = self._nodes * SLOTS_PER_NODE * 9 // 10
        hand = self._hand
        while self._is_open:
            self._came.clear()
            is_quiet = not self._came.wait(QUIET_SECONDS)
            while len(hand) >= busy or (is_quiet and hand):
                ended = [hand.popleft() for _ in range(min(BATCH, len(hand)))]
                self._post(
                    [
                        Returned(call.task, call.try_id, call.arguments()[0][0], TAKES_SECONDS)
                        for call in ended
                    ]
                )
