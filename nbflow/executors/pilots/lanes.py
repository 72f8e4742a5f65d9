"""Own the thread that talks to pilots: it lets them in, feeds their crews, notices which are gone.

It knows no batch system: who may come is told to it, and it tells what came of them.
"""

from __future__ import annotations

import itertools
import math
import selectors
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, final

import zmq

from nbflow.core.ids import ExecutorId, NodeId, SlotId
from nbflow.core.states import Cause
from nbflow.core.task import Resources
from nbflow.errors import EnvMismatch
from nbflow.executors.pilots.gate import Gate, key_of
from nbflow.executors.pilots.node import Node, Pass
from nbflow.wire.lanes import Kind, Message, body_of, pack, text_of, unpack
from nbflow.wire.messages import Call
from nbflow.worker.answers import failures
from nbflow.worker.facts import facts, mismatches, sees_the_same_files
from nbflow.worker.happenings import (
    Exit,
    Happening,
    NodeDown,
    NodeDraining,
    NodeUp,
    Post,
    SlotDown,
    SlotUp,
    Try,
)
from nbflow.worker.inbox import Inbox
from nbflow.worker.load import Packers
from nbflow.worker.losses import closed, lost_with_node, recalled
from nbflow.worker.port import Port, content

__all__ = ["Lanes", "Patience", "Tell"]

MESSAGES_A_TURN = 500
MESSAGE_NBYTES = 1 << 38
CLOSE_SECONDS = 5.0
LATE_BEATS = 3

Tell = Callable[[str, str, str], None]
"""Be told of a block what happened ("up", "down", "refused", "useless"), and the node, or why."""


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
class Lanes:
    """Serve the pilots of one executor, in a thread of its own.

    Methods may be called from any thread and never wait, but for `close`.
    """

    def __init__(self, label: ExecutorId, post: Post, tell: Tell, patience: Patience) -> None:
        self._label = label
        self._post = post
        self._tell = tell
        self._patience = patience
        self._facts: Final = facts()
        self._inbox: Inbox[Callable[[], None]] = Inbox()
        self._packers = Packers(self._inbox.put)
        self._nodes: dict[str, Node] = {}
        self._slots: dict[SlotId, Node] = {}
        self._passes: dict[str, Pass] = {}
        self._until: dict[str, float] = {}
        self._over: set[int] = set()
        self._numbers = itertools.count(1)
        self._news: list[Happening] = []
        self._exit: Exit | None = None
        self._thread = threading.Thread(target=self._run, name=f"nbflow-lanes-{label}", daemon=True)

    def start(self, host: str) -> tuple[int, str]:
        """Listen on an address of this machine; return the port and the public key."""
        public, secret = zmq.curve_keypair()
        self._context = zmq.Context()
        self._gate = Gate(self._context)
        socket = self._context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = secret
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_NBYTES)
        self._port = Port(socket)
        port = socket.bind_to_random_port(f"tcp://{host}")
        self._thread.start()
        return port, public.decode()

    def nodes(self) -> list[Node]:
        """Return the nodes that are there now."""
        return list(self._nodes.values())

    # Who may come, and who has to go

    def allow(self, entry: Pass) -> None:
        """Let a lane in by its key."""

        def allow() -> None:
            self._gate.allow(entry.key)
            self._passes[entry.key] = entry

        self._inbox.put(allow)

    def expect_end(self, block: str, until: float) -> None:
        """Note when the walltime of a block ends (monotonic clock); to be called before its nodes come."""
        self._inbox.put(lambda: self._until.update({block: until}))

    def drain(self, block: str) -> None:
        """Give the nodes of a block no more; what they had not started runs elsewhere."""

        def drain() -> None:
            for node in self._of(block):
                if not node.is_draining:
                    node.is_draining = True
                    self._news.append(NodeDraining(self._label, node.name))
                    node.crew.recall_all()

        self._inbox.put(drain)

    def end(self, block: str, cause: Cause, reason: str) -> None:
        """Take the nodes of a block for gone, and tell them to leave should they hear it."""

        def end() -> None:
            for node in self._of(block):
                self._lose(node, cause, reason)
                self._send(node, Message(Kind.LEAVE, node.epoch))
            for entry in [entry for entry in self._passes.values() if entry.block == block]:
                self._gate.forbid(entry.key)
                del self._passes[entry.key]
            self._until.pop(block, None)

        self._inbox.put(end)

    # Calls

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has."""
        if not self._inbox.put(lambda: self._give(slot, calls)):
            self._post(list(failures(calls, Cause.LOST, closed)))

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries; nothing is reported for them."""
        self._inbox.put(lambda: self._each(lambda node: node.crew.drop(tries)))

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started."""
        self._inbox.put(lambda: self._each(lambda node: node.crew.recall(tries)))

    def close(self, how: Exit) -> None:
        """End all crews and the thread, and wait for it."""

        def close() -> None:
            self._exit = how
            self._close_by = time.monotonic() + (CLOSE_SECONDS if how is Exit.STOP else math.inf)
            self._each(lambda node: node.crew.close(how))

        self._inbox.put(close)
        if self._thread.is_alive():
            self._thread.join()

    # The thread

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        for source in (self._inbox, self._port, self._gate.port):
            selector.register(source, selectors.EVENT_READ)
        try:
            due = time.monotonic()
            while not self._is_over():
                now = time.monotonic()
                if due <= now:
                    if now - due > LATE_BEATS * self._patience.beat:
                        self._forgive(now)
                    due = now + self._patience.beat
                    self._look_after(now)
                self._turn(selector, min(due, *(node.crew.next_due() for node in self.nodes()), math.inf))
        finally:
            self._finish()
            selector.close()

    def _is_over(self) -> bool:
        if self._exit is None:
            return False
        return all(node.crew.is_over for node in self.nodes()) or time.monotonic() > self._close_by

    def _turn(self, selector: selectors.BaseSelector, due: float) -> None:
        is_ready = self._port.has_input or self._gate.port.has_input
        self._inbox.wait(selector, 0 if is_ready else max(0.0, due - time.monotonic()))
        for order in self._inbox.take():
            order()
        self._gate.serve()
        self._hear()
        now = time.monotonic()
        for node in self.nodes():
            if node.crew.next_due() <= now:
                node.crew.act_on_time(now)
        self._publish()

    def _finish(self) -> None:
        """Answer for all that is left, and let the lanes go."""
        self._inbox.close()
        for node in self.nodes():
            self._send(node, Message(Kind.LEAVE, node.epoch))
            node.crew.lose_all(Cause.LOST, closed)
            self._news += node.crew.take_news()
        self._nodes.clear()
        self._slots.clear()
        for order in self._inbox.take():
            order()
        self._publish()
        self._port.socket.close(200)  # ms: so that the goodbyes are sent
        self._gate.port.close()
        self._context.term()
        self._packers.close()

    def _publish(self) -> None:
        for node in self.nodes():
            self._collect(node)
        if self._news:
            news, self._news = self._news, []
            self._post(news)

    def _collect(self, node: Node) -> None:
        for one in node.crew.take_news():
            if type(one) is SlotUp:
                self._slots[one.slot] = node
            elif type(one) is SlotDown:
                self._slots.pop(one.slot, None)
            self._news.append(one)

    def _give(self, slot: SlotId, calls: Sequence[Call]) -> None:
        node = self._slots.get(slot)
        if node is not None and not node.is_draining:
            node.crew.send(slot, calls)
            return
        cause, error = (Cause.LOST, closed) if self._exit else (Cause.RECALLED, recalled)
        self._news += failures(calls, cause, error)

    def _each(self, act: Callable[[Node], None]) -> None:
        for node in self.nodes():
            act(node)

    def _of(self, block: str) -> list[Node]:
        return [node for node in self.nodes() if node.entry.block == block]

    # What lanes say

    def _hear(self) -> None:
        heard: dict[str, Node] = {}
        now = time.monotonic()
        for route, *frames in self._port.receive(MESSAGES_A_TURN):
            key = key_of(frames)
            if not self._gate.is_allowed(key):
                continue  # it was let in once, and is no longer
            try:
                message = unpack([content(frame) for frame in frames])
                node = self._take(key, route.bytes, message)
            except Exception as error:  # noqa: BLE001 - whatever it sent: it is no pilot of ours any more
                self._shut_out(key, error)
                continue
            if node is not None:
                node.heard = now
                node.unreachable_since = None
                if message.kind.is_numbered:
                    heard[key] = node
        for node in heard.values():
            node.beat()

    def _take(self, key: str, route: bytes, message: Message) -> Node | None:
        node = self._nodes.get(key)
        if node is not None and node.epoch == message.epoch:
            node.route = route
            if message.kind is Kind.REGISTER:
                self._welcome(node)
            else:
                node.take(message)
            return node
        if message.kind is Kind.REGISTER and message.epoch not in self._over:
            return self._register(key, route, message)
        self._reply(route, Message(Kind.RESET, message.epoch))
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
            self._reply(route, Message(Kind.REFUSE, message.epoch, frames=[text_of({"why": why})]))
            return None
        if (before := self._nodes.get(key)) is not None:
            self._lose(before, Cause.LOST, "it began anew")
        name = NodeId(f"{theirs['host']}-{next(self._numbers)}")
        node = Node(
            self._label,
            name,
            entry,
            message.epoch,
            theirs,
            self._send,
            self._packers,
            shares_files=sees_the_same_files(self._facts, theirs),
        )
        self._nodes[key] = node
        node.route = route
        self._welcome(node)
        node.crew.start()
        self._slots.update(dict.fromkeys(node.crew.slots, node))
        total = Resources(max(int(theirs["cores"]), entry.slots), int(theirs["memory"]), int(theirs["gpus"]))
        self._news.append(
            NodeUp(
                executor=self._label,
                node=name,
                block=entry.block,
                slots=node.crew.slots,
                total=total,
                until=self._until.get(entry.block),
            )
        )
        self._tell(entry.block, "up", name)
        return node

    def _welcome(self, node: Node) -> None:
        self._send(
            node, Message(Kind.WELCOME, node.epoch, frames=[text_of({"patience": self._patience.orphan})])
        )

    def _send(self, node: Node, message: Message) -> None:
        if not self._reply(node.route, message) and node.unreachable_since is None:
            node.unreachable_since = time.monotonic()

    def _reply(self, route: bytes, message: Message) -> bool:
        """Send a message to a connection; return whether it is there. What is lost is asked for again."""
        try:
            self._port.send([route, *pack(message)])
        except zmq.ZMQError:
            return False
        return True

    # Who is gone

    def _look_after(self, now: float) -> None:
        for node in self.nodes():
            node.beat()
            if now - node.heard > self._patience.silent:
                self._lose(node, Cause.LOST, f"it said nothing for {self._patience.silent:g} s")
            elif node.unreachable_since is not None and now - node.unreachable_since > self._patience.gone:
                self._lose(node, Cause.LOST, "its connection broke, and it did not come back")

    def _forgive(self, now: float) -> None:
        """Blame no node for what was not heard: this process itself was stopped, or held up by C code."""
        for node in self.nodes():
            node.heard = now
            node.unreachable_since = None

    def _shut_out(self, key: str, error: Exception) -> None:
        self._gate.forbid(key)
        if (node := self._nodes.get(key)) is not None:
            self._lose(node, Cause.LOST, f"it sent what no pilot sends: {error}")

    def _lose(self, node: Node, cause: Cause, reason: str) -> None:
        """Take a node for gone: what it had is answered for, and what it says later is not heard."""
        self._collect(node)
        self._over.add(node.epoch)
        node.crew.lose_all(cause, lambda call: lost_with_node(call, node.name, reason))
        self._news += node.crew.take_news()
        self._news.append(NodeDown(self._label, node.name, reason))
        self._nodes.pop(node.entry.key, None)
        self._slots = {slot: one for slot, one in self._slots.items() if one is not node}
        for other in self.nodes():
            torn = other.calls_over(node.name)
            self._news += failures(torn, cause, lambda call: lost_with_node(call, node.name, reason))
            other.crew.drop([(call.task, call.try_id) for call in torn])
        self._tell(node.entry.block, "down", node.name)
