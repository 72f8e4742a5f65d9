"""Own one pilot as the thread of the lanes sees it: its streams, and the crew that works there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, final

from nbflow.core.ids import ExecutorId, NodeId, SlotId
from nbflow.executors.pilots.former import Estate
from nbflow.wire.frames import Buffer
from nbflow.wire.lanes import Arrival, Incoming, Kind, Message, Outgoing, body_of, text_of
from nbflow.wire.messages import Call
from nbflow.worker.child import Remains
from nbflow.worker.crew import Crew
from nbflow.worker.host import Hosted
from nbflow.worker.load import Packers

__all__ = ["Node", "Pass"]

LOG_CHARACTERS = 8_192


@final
@dataclass(frozen=True, slots=True)
class Pass:
    """Say for what a key was let in: a lane of this block, with so many workers of so many threads."""

    key: str
    block: str
    workers: int
    threads: int = 1

    @property
    def slots(self) -> int:
        """Return how many calls run at a time."""
        return self.workers * self.threads


@final
class _DistantWorker:
    """Be a worker process behind a lane."""

    has_output = False

    def __init__(self, node: Node, number: int) -> None:
        self.shares_files = node.shares_files
        self.pid = 0
        self._node = node
        self._number = number
        self._remains = Remains(0, "", is_oom=False)

    @property
    def place(self) -> str:
        """Return where it is, for messages."""
        return f"process {self.pid} on {self._node.name}"

    def put(self, frames: Sequence[Buffer]) -> None:
        """Send one message to it."""
        self._node.say(Kind.FRAMES, self._number, frames)

    def send(self) -> None:
        """Do nothing: whatever was put is on its way."""

    def kill(self) -> None:
        """Have it ended, with all that descends from it."""
        self._node.say(Kind.KILL, self._number)

    def end(self, body: Mapping[str, Any]) -> None:
        """Note how it ended."""
        log = str(body.get("log", ""))[-LOG_CHARACTERS:]
        with suppress(TypeError, ValueError):
            self._remains = Remains(int(body.get("status", 0)), log, is_oom=body.get("is_oom") is True)

    def bury(self) -> Remains:
        """Return how it ended."""
        return self._remains

    def abandon(self) -> None:
        """Have it ended, unheard."""
        self.kill()


@final
class Node:
    """Be one life of one pilot's lane.

    `route` is the connection on which it was heard last, `heard` when (monotonic clock), `felt` when it last
    said on the other one that it lives. `send` sends one
    message of this node; what cannot be delivered now is sent again when the lane asks for it.
    """

    def __init__(
        self,
        label: ExecutorId,
        name: NodeId,
        entry: Pass,
        epoch: int,
        facts: Mapping[str, Any],
        send: Callable[[Node, Message], None],
        packers: Packers,
        *,
        run: str,
        shares_files: bool,
    ) -> None:
        self.name: Final = name
        self.entry: Final = entry
        self.epoch: Final = epoch
        self.facts: Final = facts
        self.shares_files: Final = shares_files
        self.route = b""
        self.heard = self.felt = 0.0
        self.unreachable_since: float | None = None
        self.is_draining = False
        self._run = run
        self._send = send
        self._outgoing = Outgoing()
        self._incoming = Incoming()
        self._taken = 0
        self._numbers = itertools.count(int(facts.get("next", 1)))
        self._workers: dict[int, Hosted] = {}
        self.estate: Final = Estate(facts.get("former", {}), self.say)
        free = max(0, entry.workers - self.estate.alive)
        self._places_taken = entry.workers - free
        self._places_left = 0
        self.crew: Final = Crew(
            label, free, self, packers, place=f"{label}/{name}", node=name, threads=entry.threads
        )

    def calls_over(self, other: NodeId) -> list[Call]:
        """Return the calls of its workers that have the other node as well."""
        calls = (call for worker in self.crew.workers for call in (*worker.hand.values(), *worker.backlog))
        return [call for call in calls if call.grant is not None and other in call.grant.nodes]

    # What the crew asks for

    def launch(self, slot: SlotId, threads: int) -> _DistantWorker:
        """Have a worker started there."""
        number = next(self._numbers)
        body = {"run": self._run, "slot": slot, "threads": threads}
        self.say(Kind.START, number, [text_of(body)])
        return _DistantWorker(self, number)

    def welcome(self, worker: Hosted) -> None:
        """Know a worker by the number that it was started with."""
        self._workers[_child(worker)._number] = worker

    def watch(self, worker: Hosted) -> None:
        """Do nothing: nothing waits here to be sent."""

    # The lane

    def say(self, kind: Kind, worker: int, frames: Sequence[Buffer] = ()) -> None:
        """Send a message that has to arrive."""
        self._post(self._outgoing.add(Message(kind, self.epoch, worker=worker, frames=frames)))

    def beat(self) -> None:
        """Tell the lane that its kernel lives, and what of it is on disk."""
        self._post(Message(Kind.BEAT, self.epoch, self._outgoing.number))

    @property
    def heard_number(self) -> int:
        """Return the number of the last message that was taken."""
        return self._incoming.number

    def acknowledge(self, number: int) -> None:
        """Let the lane forget its messages up to this number."""
        if number > self._taken:
            self._taken = number
            self.beat()

    @property
    def owes(self) -> bool:
        """Tell whether the lane keeps what was taken."""
        return self._incoming.number > self._taken or self.estate.has_settled

    def take(self, message: Message) -> None:
        """Take what the lane says. Raises CorruptMessage."""
        self._outgoing.acknowledge(message.acknowledged)
        match message.kind:
            case Kind.BEAT:
                if message.number > self._incoming.number:
                    self._post(Message(Kind.MISSING, self.epoch))
                self.beat()
            case Kind.MISSING:
                for kept in list(self._outgoing.unacknowledged()):
                    self._post(kept)
            case Kind.FRAMES | Kind.PROCESS | Kind.ENDED:
                arrival = self._incoming.take(message.number)
                if arrival is Arrival.NEXT:
                    self._hear(message)
                elif arrival is Arrival.EARLY:
                    self._post(Message(Kind.MISSING, self.epoch))

    def _post(self, message: Message) -> None:
        message.acknowledged = self._taken
        self._send(self, message)

    def _hear(self, message: Message) -> None:
        if self.estate.has(message.worker):
            self._hear_former(message)
            return
        worker = self._workers.get(message.worker)
        if worker is None:
            return
        if message.kind is Kind.FRAMES:
            self.crew.front.hear(worker, [message.frames])
        elif message.kind is Kind.PROCESS:
            _child(worker).pid = int(body_of(message).get("pid", 0))
        else:
            _child(worker).end(body_of(message))
            del self._workers[message.worker]
            worker.is_over = True
            self.crew.front.bury(worker)

    def _hear_former(self, message: Message) -> None:
        if message.kind is Kind.FRAMES:
            self.estate.hear(message.worker, message.number, message.frames)
        elif message.kind is Kind.ENDED:
            self.estate.end(message.worker)
            self._fill_up()

    def _fill_up(self) -> None:
        """Start a worker in place of one of a former kernel that has ended.

        Where there are GPUs, not before all of them have: nobody knows which of them has which.
        """
        self._places_left = min(self._places_left + 1, self._places_taken)
        if self.crew.is_open and not (self.facts.get("gpus") and self.estate.alive):
            for _ in range(self._places_left):
                self.crew.grow()
            self._places_taken -= self._places_left
            self._places_left = 0


def _child(worker: Hosted) -> _DistantWorker:
    assert isinstance(worker.child, _DistantWorker)
    return worker.child
