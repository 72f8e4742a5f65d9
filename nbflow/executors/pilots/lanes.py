"""Own the thread that talks to pilots: it lets them in, feeds their crews, notices which are gone.

It knows no batch system: who may come is told to it, and it tells what came of them.
"""

from __future__ import annotations

import math
import selectors
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import final

import zmq

from nbflow.core.ids import ExecutorId, SlotId
from nbflow.core.states import Cause
from nbflow.executors.pilots.former import Taken
from nbflow.executors.pilots.gate import Gate, key_of
from nbflow.executors.pilots.node import Node, Pass
from nbflow.executors.pilots.roll import Patience, Roll, Tell
from nbflow.wire.lanes import Kind, Message, pack, unpack
from nbflow.wire.messages import Call
from nbflow.worker.answers import failures
from nbflow.worker.happenings import (
    Exit,
    Held,
    Post,
    Receipt,
    Try,
)
from nbflow.worker.inbox import Inbox
from nbflow.worker.load import Packers
from nbflow.worker.losses import closed, lost_with_kernel, recalled
from nbflow.worker.port import Port, content

__all__ = ["Lanes", "Patience", "Tell"]

MESSAGES_A_TURN = 500
MESSAGE_NBYTES = 1 << 38
CLOSE_SECONDS = 5.0
LATE_BEATS = 3


@final
class Lanes:
    """Serve the pilots of one executor, in a thread of its own.

    Methods may be called from any thread and never wait, but for `close`.
    """

    def __init__(
        self, label: ExecutorId, post: Post, tell: Tell, patience: Patience, *, run: str = ""
    ) -> None:
        self._post = post
        self._patience = patience
        self._inbox: Inbox[Callable[[], None]] = Inbox()
        self._packers = Packers(self._inbox.put)
        self._roll = Roll(label, run, tell, patience, self._packers, self._reply)
        self._is_receipt_out = False
        self._is_left = False
        self._exit: Exit | None = None
        self._thread = threading.Thread(target=self._run, name=f"nbflow-lanes-{label}", daemon=True)

    def start(self, host: str, port: int = 0, secret: bytes = b"") -> tuple[int, str]:
        """Listen on an address of this machine; return the port and the public key.

        On a `port`, and under a `secret` key, that lanes know already, where they are given. Raises
        zmq.ZMQError when the port is taken.
        """
        secret = secret or zmq.curve_keypair()[1]
        self._context = zmq.Context()
        self._gate = Gate(self._context)
        socket = self._context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = secret
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_NBYTES)
        self._port = Port(socket)
        try:
            if port:
                socket.bind(f"tcp://{host}:{port}")
            else:
                port = socket.bind_to_random_port(f"tcp://{host}")
        except zmq.ZMQError:
            self._port.close()
            self._gate.port.close()
            self._context.term()
            raise
        self._thread.start()
        return port, zmq.curve_public(secret).decode()

    def nodes(self) -> list[Node]:
        """Return the nodes that are there now."""
        return list(self._roll.nodes.values())

    # Who may come, and who has to go

    def allow(self, entry: Pass) -> None:
        """Let a lane in by its key."""
        self._inbox.put(lambda: self._roll.allow(self._gate, entry))

    def allow_back(self, entry: Pass) -> None:
        """Let a lane in that worked for another kernel; before `start`."""
        self._roll.expect_back(entry.key)
        self.allow(entry)

    def await_back(self, seconds: float) -> None:
        """Wait until all lanes of another kernel have come back, but no longer than so many seconds."""
        self._roll.await_back(seconds)

    def expect_end(self, block: str, until: float) -> None:
        """Note when the walltime of a block ends (monotonic clock); to be called before its nodes come."""
        self._inbox.put(lambda: self._roll.expect_end(block, until))

    def drain(self, block: str) -> None:
        """Give the nodes of a block no more; what they had not started runs elsewhere."""
        self._inbox.put(lambda: self._roll.drain(block))

    def end(self, block: str, cause: Cause, reason: str) -> None:
        """Take the nodes of a block for gone, and tell them to leave should they hear it."""
        self._inbox.put(lambda: self._roll.end(self._gate, block, cause, reason))

    # Calls

    def send(self, slot: SlotId, calls: Sequence[Call]) -> None:
        """Take calls for a slot, after those that it has."""
        if not self._inbox.put(lambda: self._give(slot, calls)):
            self._post(list(failures(calls, Cause.LOST, closed)))

    def drop(self, tries: Collection[Try]) -> None:
        """Stop these tries; nothing is reported for them."""

        def drop(node: Node) -> None:
            node.crew.drop(tries)
            node.estate.drop(tries)

        self._inbox.put(lambda: self._each(drop))

    def recall(self, tries: Collection[Try]) -> None:
        """Give back those of the tries that have not started."""
        self._inbox.put(lambda: self._each(lambda node: node.crew.recall(tries)))

    # What former kernels left

    def held(self) -> list[Held]:
        """Return the slots of former runs that are held here."""
        return [held for node in self.nodes() for held in node.estate.held()]

    def adopt(self, held: Held, former: Try, call: Call) -> None:
        """Have what becomes of a former try reported as that of a call."""

        def adopt() -> None:
            if not any(node.estate.adopt(held, former, call) for node in self.nodes()):
                self._roll.news += failures([call], Cause.EXPIRED, lost_with_kernel)

        if not self._inbox.put(adopt):
            self._post(list(failures([call], Cause.LOST, closed)))

    def disown(self, run: str) -> None:
        """Stop what runs for a former run, and let its results go, but for what was adopted."""
        self._inbox.put(lambda: self._each(lambda node: node.estate.disown(run)))

    def leave(self) -> None:
        """End the thread, and leave all lanes to the next kernel."""

        def leave() -> None:
            self._is_left = True
            self._exit = Exit.STOP
            self._close_by = 0.0

        self._inbox.put(leave)
        if self._thread.is_alive():
            self._thread.join()

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
                        self._roll.forgive(now)
                    due = now + self._patience.beat
                    self._roll.look_after(now)
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
        for node in self.nodes() if not self._is_left else ():
            self._reply(node.route, Message(Kind.LEAVE, node.epoch))
            node.crew.lose_all(Cause.LOST, closed)
            node.estate.lose_all(Cause.LOST, closed)
            self._roll.collect(node)
        self._roll.nodes.clear()
        self._roll.slots.clear()
        for order in self._inbox.take():
            order()
        self._publish()
        self._port.socket.close(200)  # ms: so that the goodbyes are sent
        self._gate.port.close()
        self._context.term()
        self._packers.close()

    def _publish(self) -> None:
        for node in self.nodes():
            self._roll.collect(node)
        if not self._is_receipt_out and any(node.owes for node in self.nodes()):
            self._is_receipt_out = True
            marks = [(node, node.heard_number, node.estate.take_settled()) for node in self.nodes()]
            self._roll.news.append(Receipt(lambda: self._inbox.put(lambda: self._sign(marks))))
        if self._roll.news:
            news, self._roll.news = self._roll.news, []
            self._post(news)

    def _sign(self, marks: list[tuple[Node, int, list[Taken]]]) -> None:
        """Let lanes forget what is on disk."""
        self._is_receipt_out = False
        for node, number, settled in marks:
            if self._roll.nodes.get(node.entry.key) is node:
                node.estate.forget(settled)
                node.acknowledge(number)

    def _give(self, slot: SlotId, calls: Sequence[Call]) -> None:
        node = self._roll.slots.get(slot)
        if node is not None and not node.is_draining:
            node.crew.send(slot, calls)
            return
        cause, error = (Cause.LOST, closed) if self._exit else (Cause.RECALLED, recalled)
        self._roll.news += failures(calls, cause, error)

    def _each(self, act: Callable[[Node], None]) -> None:
        for node in self.nodes():
            act(node)

    # What lanes say

    def _hear(self) -> None:
        now = time.monotonic()
        for route, *frames in self._port.receive(MESSAGES_A_TURN):
            key = key_of(frames)
            if not self._gate.is_allowed(key):
                continue  # it was let in once, and is no longer
            try:
                message = unpack([content(frame) for frame in frames])
                node = self._roll.take(key, route.bytes, message)
            except Exception as error:  # noqa: BLE001 - whatever it sent: it is no pilot of ours any more
                self._roll.shut_out(self._gate, key, error)
                continue
            if node is not None:
                node.heard = now
                node.unreachable_since = None

    def _reply(self, route: bytes, message: Message) -> bool:
        """Send a message to a connection; return whether it is there. What is lost is asked for again."""
        try:
            self._port.send([route, *pack(message)])
        except zmq.ZMQError:
            return False
        return True
