"""Own what a pilot does on its node: it starts worker processes, and carries what they and a kernel say.

A lane is one thread with one socket, encrypted by CURVE under a key pair that never leaves this process, and
beside it one that says only that it lives: a large result on a slow line would keep that back. It
knows no calls: the crew that feeds the workers sits in the kernel. What the workers said is kept until the
kernel has it. A lane whose kernel is gone goes on, and waits for it, or another one, to come back: to that it
hands over what the workers said, and which of them still work.
"""

from __future__ import annotations

import os
import secrets
import selectors
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import zmq

from nbflow.wire.frames import Buffer, CorruptMessage
from nbflow.wire.lanes import Arrival, Incoming, Kind, Message, Outgoing, body_of, pack, text_of, unpack
from nbflow.worker.child import ChildProcess, environment_for
from nbflow.worker.facts import facts
from nbflow.worker.losses import OomWatch
from nbflow.worker.port import Port, content

__all__ = ["BEAT_SECONDS", "Destination", "Lane", "connect", "prepare"]

BEAT_SECONDS = 1.0
MESSAGES_A_TURN = 1000
FIRST_PATIENCE_SECONDS = 120.0
"""How long the first kernel may take to answer; it then says itself how long it may be away."""
GOODBYE_SECONDS = 5.0
THREAD = "nbflow-lane"


@final
@dataclass(frozen=True, slots=True)
class Destination:
    """Say where a kernel listens (`tcp://host:port`), its public key, and the number of workers it wants."""

    address: str
    server_key: str
    workers: int


@final
class Lane:
    """Serve one kernel from this node."""

    def __init__(self, keys: tuple[bytes, bytes], where: Destination) -> None:
        self._keys = keys
        self._where = where
        self._context = zmq.Context()
        self._selector = selectors.DefaultSelector()
        self._oom = OomWatch()
        self._patience = FIRST_PATIENCE_SECONDS
        self._is_over = False
        self._children: dict[int, ChildProcess] = {}
        self._origins: dict[int, dict[str, Any]] = {}
        self._inheritance: list[Message] = []
        self._heard = time.monotonic()
        self._begin()

    def run(self) -> None:
        """Serve until the kernel says that it is over, or is gone for too long."""
        self._port, self._pulse = self._open(), self._open()
        self._selector.register(self._port, selectors.EVENT_READ)
        try:
            due = time.monotonic()
            while not self._is_over:
                now = time.monotonic()
                if due <= now:
                    due = now + BEAT_SECONDS
                    self._beat(now)
                timeout = 0 if self._port.has_input else max(0.0, due - now)
                for key, events in self._selector.select(timeout):
                    if key.data is not None:
                        self._serve(key.data, key.fileobj, events)
                self._hear_kernel()
        finally:
            self._end_children()
            self._port.close()
            self._pulse.close()
            self._context.term()

    def _open(self) -> Port:
        socket = self._context.socket(zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey = self._keys
        socket.curve_serverkey = self._where.server_key.encode()
        socket.setsockopt(zmq.RECONNECT_IVL, 200)
        # Back well before the kernel gives a node up whose connection broke: else its calls run twice.
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        port = Port(socket)
        socket.connect(self._where.address)
        return port

    def _begin(self) -> None:
        """Begin a new life: nothing of the one before is remembered, or was ever sent."""
        self._epoch = secrets.randbits(63)
        self._outgoing = Outgoing()
        self._incoming = Incoming()
        self._is_welcome = False
        # Workers that were started in this life, and what the others said in it and is not forgotten yet.
        self._own: set[int] = set()
        self._kept: dict[int, Message] = {}

    def _hand_over(self) -> None:
        """Begin a life for another kernel: workers go on, and what it may not have is said again."""
        said = [
            message
            for message in self._outgoing.unacknowledged()
            if message.kind is Kind.FRAMES and message.number not in self._kept
        ]
        self._inheritance += [*self._kept.values(), *said]
        self._begin()
        self._beat(self._heard)

    def _estate(self) -> dict[str, Any]:
        """Return of which run and slot those workers are that worked, or said something, before this life."""
        said = Counter(message.worker for message in self._inheritance)
        numbers = {*self._children, *said}
        self._origins = {number: self._origins[number] for number in numbers}
        former = {
            str(n): {**self._origins[n], "is_alive": n in self._children, "messages": said[n]}
            for n in numbers
        }
        return {"former": former, "next": 1 + max(numbers, default=0)}

    # The kernel

    def _beat(self, now: float) -> None:
        if self._is_welcome:
            self._send(Message(Kind.BEAT, self._epoch, self._outgoing.number))
            self._pulse.send(pack(Message(Kind.PULSE, self._epoch)))
        else:
            body = {**facts(), "workers": self._where.workers, **self._estate()}
            self._send(Message(Kind.REGISTER, self._epoch, frames=[text_of(body)]))
        if now - self._heard > self._patience:
            self._is_over = True

    def _hear_kernel(self) -> None:
        taken = self._incoming.number
        for frames in self._port.receive(MESSAGES_A_TURN):
            try:
                message = unpack([content(frame) for frame in frames])
            except CorruptMessage:
                continue
            if message.epoch == self._epoch:
                self._heard = time.monotonic()
                self._outgoing.acknowledge(message.acknowledged)
                self._obey(message)
        if self._incoming.number > taken and not self._is_over:
            self._send(Message(Kind.BEAT, self._epoch, self._outgoing.number))

    def _obey(self, message: Message) -> None:
        match message.kind:
            case Kind.WELCOME:
                self._is_welcome = True
                self._patience = float(body_of(message)["patience"])
                inheritance, self._inheritance = self._inheritance, []
                for left in inheritance:
                    self._say(Kind.FRAMES, left.worker, left.frames)
            case Kind.BEAT if message.number > self._incoming.number:
                self._send(Message(Kind.MISSING, self._epoch))
            case Kind.MISSING:
                for kept in list(self._outgoing.unacknowledged()):
                    self._send(kept)
            case Kind.HAND_OVER:
                self._hand_over()
            case Kind.RESET:
                self._end_children()
                self._inheritance.clear()
                self._begin()
                self._beat(self._heard)
            case Kind.REFUSE | Kind.LEAVE:
                self._is_over = True
            case _ if message.kind.is_numbered:
                self._take(message)

    def _take(self, message: Message) -> None:
        match self._incoming.take(message.number):
            case Arrival.EARLY:
                self._send(Message(Kind.MISSING, self._epoch))
            case Arrival.NEXT if message.kind is Kind.START:
                self._start(message.worker, body_of(message))
            case Arrival.NEXT if message.kind is Kind.FORGET:
                for number in body_of(message)["numbers"]:
                    self._kept.pop(number, None)
            case Arrival.NEXT if (child := self._children.get(message.worker)) is not None:
                if message.kind is Kind.KILL:
                    child.kill()
                elif message.kind is Kind.FRAMES:
                    child.put(message.frames)
                    child.send()
                    self._watch(message.worker, child)

    def _send(self, message: Message) -> None:
        message.acknowledged = self._incoming.number
        self._port.send(pack(message))

    def _say(self, kind: Kind, worker: int, frames: Sequence[Buffer]) -> None:
        message = self._outgoing.add(Message(kind, self._epoch, worker=worker, frames=frames))
        if kind is Kind.FRAMES and worker not in self._own:
            self._kept[message.number] = message
        self._send(message)

    # The workers

    def _start(self, number: int, origin: dict[str, Any]) -> None:
        self._own.add(number)
        self._origins[number] = origin
        try:
            child = ChildProcess(self._oom, environment_for(self._where.workers), int(origin["threads"]))
        except OSError as error:
            self._say(Kind.ENDED, number, [text_of({"status": 1, "log": str(error), "is_oom": False})])
            return
        self._children[number] = child
        self._selector.register(child.sock, selectors.EVENT_READ, number)
        self._selector.register(child.line, selectors.EVENT_READ, number)

    def _serve(self, number: int, source: Any, events: int) -> None:
        child = self._children.get(number)
        if child is None:
            return
        if source is child.line:
            if child.hear_keeper():
                self._bury(number, child)
            elif child.pid:
                self._say(Kind.PROCESS, number, [text_of({"pid": child.pid})])
            return
        if events & selectors.EVENT_WRITE:
            child.send()
            self._watch(number, child)
        if events & selectors.EVENT_READ:
            self._carry(number, child)

    def _watch(self, number: int, child: ChildProcess) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.has_output else 0)
        if not child.is_silent and events != self._selector.get_key(child.sock).events:
            self._selector.modify(child.sock, events, number)

    def _carry(self, number: int, child: ChildProcess) -> None:
        """Carry what a worker says; one that says what is no message is ended."""
        try:
            for frames in child.receive():
                self._say(Kind.FRAMES, number, list(frames))
        except CorruptMessage:
            child.is_silent = True
            child.kill()
        if child.is_silent:
            self._selector.unregister(child.sock)

    def _bury(self, number: int, child: ChildProcess) -> None:
        for frames in child.receive_last():
            self._say(Kind.FRAMES, number, list(frames))
        self._forget(number, child)
        remains = child.bury()
        body = {"status": remains.status, "log": remains.log, "is_oom": remains.is_oom}
        self._say(Kind.ENDED, number, [text_of(body)])

    def _forget(self, number: int, child: ChildProcess) -> None:
        del self._children[number]
        for source in (child.sock, child.line):
            if source in self._selector.get_map():
                self._selector.unregister(source)

    def _end_children(self) -> None:
        """Kill all workers, and wait until they are gone."""
        for child in self._children.values():
            child.kill()
        give_up = time.monotonic() + GOODBYE_SECONDS
        for number, child in list(self._children.items()):
            self._forget(number, child)
            child.line.settimeout(max(0.01, give_up - time.monotonic()))
            while not child.hear_keeper() and time.monotonic() < give_up:
                pass
            child.bury()


_keys: list[tuple[bytes, bytes]] = []


def prepare() -> dict[str, Any]:
    """Make the keys of this process's lane; return the public one, and the facts about this process.

    Without a key when its lane runs already: who asks has come back.
    """
    if any(thread.name == THREAD for thread in threading.enumerate()):
        return {"key": "", "facts": facts()}
    _keys[:] = [zmq.curve_keypair()]
    return {"key": _keys[0][0].decode(), "facts": facts()}


def connect(address: str, server_key: str, workers: int) -> None:
    """Start the lane that was prepared; when it ends, this process ends with it."""
    lane = Lane(_keys.pop(), Destination(address, server_key, workers))

    def run() -> None:
        try:
            lane.run()
        finally:
            os._exit(0)

    threading.Thread(target=run, name=THREAD, daemon=True).start()
