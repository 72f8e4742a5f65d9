"""Be many pilots at once that run nothing: each has its own key and socket, and speaks the wire of a lane.

    python -m benchmarks.fleet < orders

The one line of orders is JSON: `address`, `server_key`, `workers` of each pilot, and `keys`, a list of pairs.
All connect at once. The process ends with its stdin; before that it writes one line of JSON, counts of the
messages that came, by their kind.
"""

import json
import selectors
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from nbflow.wire.bundles import encode_given_back
from nbflow.wire.frames import Buffer
from nbflow.wire.lanes import Incoming, Kind, Message, Outgoing, pack, text_of, unpack
from nbflow.worker.facts import facts
from nbflow.worker.port import Port, content

__all__ = ["Stub", "main"]

BEAT_SECONDS = 1.0
MESSAGES_A_TURN = 1000
READY = encode_given_back((), is_answer=False)


class Stub:
    """One pilot, whose workers are ready as soon as they are started."""

    def __init__(self, number: int, port: Port, workers: int) -> None:
        self.port = port
        self._epoch = number + 1
        self._body = {**facts(), "host": f"node{number}", "workers": workers}
        self._is_welcome = False
        self._outgoing = Outgoing()
        self._incoming = Incoming()

    def beat(self) -> None:
        """Register, or say that it lives."""
        if self._is_welcome:
            self._send(Message(Kind.BEAT, self._epoch, self._outgoing.number))
        else:
            self._send(Message(Kind.REGISTER, self._epoch, frames=[text_of(self._body)]))

    def hear(self) -> Iterator[Kind]:
        """Do what the kernel says, and give the kinds of what it said."""
        for frames in self.port.receive(MESSAGES_A_TURN):
            message = unpack([content(frame) for frame in frames])
            self._outgoing.acknowledge(message.acknowledged)
            if message.kind is Kind.WELCOME:
                self._is_welcome = True
            elif message.kind.is_numbered:
                self._incoming.take(message.number)
                if message.kind is Kind.START:
                    self._say(Kind.PROCESS, message.worker, [text_of({"pid": 1})])
                    self._say(Kind.FRAMES, message.worker, READY)
            yield message.kind

    def _say(self, kind: Kind, worker: int, frames: Sequence[Buffer]) -> None:
        self._send(self._outgoing.add(Message(kind, self._epoch, worker=worker, frames=frames)))

    def _send(self, message: Message) -> None:
        message.acknowledged = self._incoming.number
        self.port.send(pack(message))


def _connect(context: zmq.Context[Any], orders: dict[str, Any]) -> list[Stub]:
    stubs = []
    for number, (public, secret) in enumerate(orders["keys"]):
        socket = context.socket(zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey = public.encode(), secret.encode()
        socket.curve_serverkey = orders["server_key"].encode()
        stubs.append(Stub(number, Port(socket), orders["workers"]))
        socket.connect(orders["address"])
    return stubs


def main() -> None:
    """Serve until stdin is closed."""
    context: zmq.Context[Any] = zmq.Context()
    orders = json.loads(sys.stdin.readline())
    context.set(zmq.MAX_SOCKETS, len(orders["keys"]) + 10)
    stubs = _connect(context, orders)
    heard: Counter[str] = Counter()
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    for stub in stubs:
        selector.register(stub.port, selectors.EVENT_READ, stub)
    due = time.monotonic()
    is_over = False
    while not is_over:
        if due <= time.monotonic():
            due = time.monotonic() + BEAT_SECONDS
            for stub in stubs:
                stub.beat()
                heard.update(kind.name for kind in stub.hear())
        for key, _ in selector.select(max(0.0, due - time.monotonic())):
            if key.data is None:
                is_over = True
            else:
                heard.update(kind.name for kind in key.data.hear())
    print(json.dumps(heard), flush=True)
    context.destroy(linger=0)


if __name__ == "__main__":
    main()
