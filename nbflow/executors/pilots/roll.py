"""Own which pilots are there: they are taken in when they register, and given up when they are gone."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, final

from nbflow.core.ids import ExecutorId, NodeId, SlotId
from nbflow.core.states import Cause
from nbflow.errors import EnvMismatch
from nbflow.executors.pilots.gate import Gate
from nbflow.executors.pilots.node import Node, Pass
from nbflow.wire.lanes import Kind, Message, body_of, text_of
from nbflow.worker.answers import failures
from nbflow.worker.facts import facts, mismatches, offer_of, owner_of, sees_the_same_files
from nbflow.worker.happenings import Happening, NodeDown, NodeDraining, NodeUp, Recovered, SlotDown, SlotUp
from nbflow.worker.load import Packers
from nbflow.worker.losses import lost_with_node

__all__ = ["Patience", "Roll", "Tell"]

Tell = Callable[[str, str, str], None]
"""Be told of a block what happened ("up", "down", "refused", "useless"), and the node, or why.

Of no block, but of all: "restarted", when another controller took the place of one that died."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Say, in seconds, how often to give a sign of life, and how long one may be missed.

    `gone` is for a node whose connection broke, `silent` for one that keeps it and says nothing. `orphan` is
    how long a node waits for a kernel that is gone before it ends by itself.
    """

    beat: float = 1.0
    gone: float = 9.0
    silent: float = 30.0
    orphan: float = 600.0


@final
class Roll:
    """Know the nodes of one executor, by the keys of their lanes and by their slots.

    All of it is used in the thread of the lanes, but for `await_back`. `reply` sends a message to a
    connection and returns whether it is there. `news` is what happened; whoever runs the roll takes it.
    """

    def __init__(
        self,
        label: ExecutorId,
        run: str,
        tell: Tell,
        patience: Patience,
        packers: Packers,
        reply: Callable[[bytes, Message], bool],
    ) -> None:
        self._label = label
        self._run = run
        self._tell = tell
        self._patience = patience
        self._packers = packers
        self._reply = reply
        self._facts: Final = facts()
        self.nodes: dict[str, Node] = {}
        self.slots: dict[SlotId, Node] = {}
        self.news: list[Happening] = []
        self._passes: dict[str, Pass] = {}
        self._owners: dict[str, tuple[Any, ...]] = {}
        # Keys of lanes that worked for another kernel, and have not come back yet.
        self._absent: set[str] = set()
        self._has_come_back = threading.Condition()
        self._until: dict[str, float] = {}
        self._over: set[int] = set()
        self._numbers = itertools.count(1)

    # Who may come, and who has to go

    def allow(self, gate: Gate, entry: Pass) -> None:
        """Let a lane in by its key."""
        gate.allow(entry.key)
        self._passes[entry.key] = entry

    def expect_back(self, key: str) -> None:
        """Note that a lane worked for another kernel, before it can be heard."""
        self._absent.add(key)

    def await_back(self, seconds: float) -> None:
        """Wait until all lanes of another kernel have come back, but no longer than so many seconds."""
        with self._has_come_back:
            self._has_come_back.wait_for(lambda: not self._absent, seconds)

    def expect_end(self, block: str, until: float) -> None:
        """Note when the walltime of a block ends (monotonic clock), before its nodes come."""
        self._until[block] = until

    def drain(self, block: str) -> None:
        """Give the nodes of a block no more; what they had not started runs elsewhere."""
        for node in self._of(block):
            if not node.is_draining:
                node.is_draining = True
                self.news.append(NodeDraining(self._label, node.name))
                node.crew.recall_all()

    def end(self, gate: Gate, block: str, cause: Cause, reason: str) -> None:
        """Take the nodes of a block for gone, and tell them to leave should they hear it."""
        for node in self._of(block):
            self.lose(node, cause, reason)
            self._send(node, Message(Kind.LEAVE, node.epoch))
        for entry in [entry for entry in self._passes.values() if entry.block == block]:
            gate.forbid(entry.key)
            del self._passes[entry.key]
            self._owners.pop(entry.key, None)
        self._until.pop(block, None)

    # What lanes say

    def take(self, key: str, route: bytes, message: Message) -> Node | None:
        """Take a message of a lane; return its node, if it has one. Raises whatever a bad one makes it."""
        node = self.nodes.get(key)
        if message.kind is Kind.PULSE:
            if node is not None and node.epoch == message.epoch:
                node.felt = time.monotonic()
            return None
        if node is not None and node.epoch == message.epoch:
            node.route = route
            if message.kind is Kind.REGISTER:
                self._welcome(node)
            else:
                node.take(message)
            return node
        if message.kind is Kind.REGISTER and message.epoch not in self._over:
            return self._register(key, route, message)
        is_anothers = key in self._absent and message.epoch not in self._over
        self._reply(route, Message(Kind.HAND_OVER if is_anothers else Kind.RESET, message.epoch))
        return None

    def _register(self, key: str, route: bytes, message: Message) -> Node | None:
        entry, theirs = self._passes[key], body_of(message)
        if wrong := mismatches(self._facts, theirs):
            why = str(
                EnvMismatch(
                    f"the pilot on {theirs.get('host')} runs {theirs.get('executable')}, where "
                    f"{'; '.join(wrong)}. Install the same there as here, or name another python."
                )
            )
            self._tell(entry.block, "refused", why)
            self._refuse(route, message.epoch, why)
            return None
        host, has = offer_of(theirs)
        owner = owner_of(theirs)
        if self._owners.setdefault(key, owner) != owner:  # a key never leaves the process that made it
            self._refuse(route, message.epoch, "this key is that of another process")
            return None
        if (before := self.nodes.get(key)) is not None:
            self.lose(before, Cause.LOST, "it began anew")
        name = NodeId(f"{host}-{next(self._numbers)}")
        node = Node(
            self._label,
            name,
            entry,
            message.epoch,
            theirs,
            self._send,
            self._packers,
            run=self._run,
            shares_files=sees_the_same_files(self._facts, theirs),
        )
        self.nodes[key] = node
        node.route = route
        self._welcome(node)
        node.estate.ask_to_end()
        node.crew.start()
        self.slots.update(dict.fromkeys(node.crew.slots, node))
        self.news.append(
            NodeUp(
                executor=self._label,
                node=name,
                block=entry.block,
                slots=node.crew.slots,
                total=replace(has, cores=max(has.cores, entry.slots)),
                until=self._until.get(entry.block),
            )
        )
        if held := tuple(node.estate.held()):
            self.news.append(Recovered(self._label, name, held))
        self._tell(entry.block, "up", name)
        with self._has_come_back:
            self._absent.discard(key)
            self._has_come_back.notify_all()
        return node

    def _refuse(self, route: bytes, epoch: int, why: str) -> None:
        self._reply(route, Message(Kind.REFUSE, epoch, frames=[text_of({"why": why})]))

    def _welcome(self, node: Node) -> None:
        self._send(
            node, Message(Kind.WELCOME, node.epoch, frames=[text_of({"patience": self._patience.orphan})])
        )

    def _send(self, node: Node, message: Message) -> None:
        if not self._reply(node.route, message) and node.unreachable_since is None:
            node.unreachable_since = time.monotonic()

    # Who is gone

    def look_after(self, now: float) -> None:
        """Give a sign of life to all nodes, and give up those that gave none for too long."""
        for node in list(self.nodes.values()):
            node.beat()
            if self._is_silent(node, now):
                self.lose(node, Cause.LOST, f"it said nothing for {self._patience.silent:g} s")
            elif node.unreachable_since is not None and now - node.unreachable_since > self._patience.gone:
                self.lose(node, Cause.LOST, "its connection broke, and it did not come back")

    def _is_silent(self, node: Node, now: float) -> bool:
        if now - node.heard <= self._patience.silent:
            return False
        # Bulk data may be on their way as long as it is felt to live, though not for ever.
        return now - node.felt > self._patience.silent or now - node.heard > self._patience.orphan

    def forgive(self, now: float) -> None:
        """Blame no node for what was not heard: this process itself was stopped, or held up by C code."""
        for node in list(self.nodes.values()):
            node.heard = now
            node.unreachable_since = None

    def shut_out(self, gate: Gate, key: str, error: Exception) -> None:
        """Hear nothing more from who sent what no pilot sends."""
        gate.forbid(key)
        if (node := self.nodes.get(key)) is not None:
            self.lose(node, Cause.LOST, f"it sent what no pilot sends: {error}")

    def lose(self, node: Node, cause: Cause, reason: str) -> None:
        """Take a node for gone: what it had is answered for, and what it says later is not heard."""
        self.collect(node)
        self._over.add(node.epoch)
        node.crew.lose_all(cause, lambda call: lost_with_node(call, node.name, reason))
        node.estate.lose_all(cause, lambda call: lost_with_node(call, node.name, reason))
        self.collect(node)
        self.news.append(NodeDown(self._label, node.name, reason))
        self.nodes.pop(node.entry.key, None)
        self.slots = {slot: one for slot, one in self.slots.items() if one is not node}
        for other in self.nodes.values():
            torn = other.calls_over(node.name)
            self.news += failures(torn, cause, lambda call: lost_with_node(call, node.name, reason))
            other.crew.drop([(call.task, call.try_id) for call in torn])
        self._tell(node.entry.block, "down", node.name)

    def _of(self, block: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.entry.block == block]

    def collect(self, node: Node) -> None:
        """Take the news of a node."""
        for one in node.crew.take_news():
            if type(one) is SlotUp:
                self.slots[one.slot] = node
            elif type(one) is SlotDown:
                self.slots.pop(one.slot, None)
            self.news.append(one)
        left, node.estate.news = node.estate.news, []
        self.news += left
