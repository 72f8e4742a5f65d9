"""Own the messages between a dataflow kernel and the lane of a pilot, and what makes their loss harmless.

A message is a header of fixed length, then frames that are carried unread. Those that matter are numbered,
kept until the other side acknowledges them, and taken once and in order, whatever the network does between.
Nothing in a header or a body is ever unpickled.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, final

from nbflow.wire.frames import Buffer, CorruptMessage

__all__ = ["Arrival", "Incoming", "Kind", "Message", "Outgoing", "body_of", "pack", "text_of", "unpack"]

_HEADER = struct.Struct("<4sBQQQI")
_MAGIC = b"nbl3"
_BODY_NBYTES = 1 << 16


@final
class Kind(IntEnum):
    """Name what a message is. From REGISTER to PULSE they have no number of their own."""

    REGISTER = 1
    """Lane: here I am; the body says what I am, and what I have of another kernel."""
    WELCOME = 2
    """Kernel: you are one of mine; the body says how long to wait for a kernel that is lost."""
    REFUSE = 3
    """Kernel: you cannot work for me; the body says why. The lane ends."""
    RESET = 4
    """Kernel: I have given up that life of yours; forget all of it and begin another."""
    LEAVE = 5
    """Kernel: end."""
    BEAT = 6
    """Both: I live. `number` is the last that was sent."""
    MISSING = 7
    """Both: send again what follows `acknowledged`."""
    HAND_OVER = 8
    """Kernel: I know nothing of that life of yours, which was another kernel's; begin one for me."""
    PULSE = 9
    """Lane: I live. It comes by a connection of its own, where no bulk data are before it."""
    START = 10
    """Kernel: start worker number `worker`, for the run and the slot that the body says."""
    KILL = 11
    """Kernel: end that worker, with all that descends from it."""
    FORGET = 12
    """Kernel: of what that worker of another kernel said, the messages with these numbers have arrived."""
    FRAMES = 13
    """Both: carry these frames to or from that worker."""
    PROCESS = 14
    """Lane: that worker is the process that the body says."""
    ENDED = 15
    """Lane: that worker has ended; the body says how."""

    @property
    def is_numbered(self) -> bool:
        """Tell whether it is kept until it is acknowledged."""
        return self >= Kind.START


@final
@dataclass(slots=True)
class Message:
    """Be one message of a lane's life `epoch`; `acknowledged` is the last number that its sender has taken.

    Not frozen: one is made for each bundle and each of its reports.
    """

    kind: Kind
    epoch: int
    number: int = 0
    acknowledged: int = 0
    worker: int = 0
    frames: Sequence[Buffer] = ()


def pack(message: Message) -> list[Buffer]:
    """Return the frames of a message."""
    head = _HEADER.pack(
        _MAGIC, message.kind, message.epoch, message.number, message.acknowledged, message.worker
    )
    return [head, *message.frames]


def unpack(frames: Sequence[Buffer]) -> Message:
    """Return the message in these frames. Raises CorruptMessage."""
    if not frames or len(frames[0]) != _HEADER.size:
        raise CorruptMessage("a pilot and its kernel do not understand each other: no header")
    magic, kind, epoch, number, acknowledged, worker = _HEADER.unpack(frames[0])
    if magic != _MAGIC or kind not in _KINDS:
        raise CorruptMessage("a pilot and its kernel do not understand each other: bad header")
    return Message(_KINDS[kind], epoch, number, acknowledged, worker, frames[1:])


_KINDS = {int(kind): kind for kind in Kind}


def text_of(body: Any) -> bytes:
    """Return the one frame that carries a body."""
    return json.dumps(body).encode()


def body_of(message: Message) -> dict[str, Any]:
    """Return the body of a message. Raises CorruptMessage."""
    try:
        (frame,) = message.frames
        if len(frame) > _BODY_NBYTES:
            raise ValueError(f"{len(frame)} bytes")
        body = json.loads(bytes(frame))
    except (ValueError, RecursionError) as error:
        raise CorruptMessage(f"a pilot sent a {message.kind.name} that cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise CorruptMessage(f"a pilot sent a {message.kind.name} that cannot be read: {str(body)[:100]}")
    return body


@final
class Outgoing:
    """Number messages, and keep each until it is acknowledged."""

    def __init__(self) -> None:
        self.number = 0
        self._kept: deque[Message] = deque()

    def add(self, message: Message) -> Message:
        """Give a message its number, and keep it."""
        self.number += 1
        message.number = self.number
        self._kept.append(message)
        return message

    def acknowledge(self, number: int) -> None:
        """Let go of messages up to this number."""
        while self._kept and self._kept[0].number <= number:
            self._kept.popleft()

    def unacknowledged(self) -> Iterator[Message]:
        """Give what has to be sent again, oldest first."""
        yield from self._kept


@final
class Arrival(IntEnum):
    """Say what a numbered message is to its receiver."""

    NEXT = 0
    REPEATED = 1
    EARLY = 2
    """One before it is missing."""


@final
class Incoming:
    """Take numbered messages once and in order."""

    def __init__(self) -> None:
        self.number = 0

    def take(self, number: int) -> Arrival:
        """Say what a message is; the next one counts as taken."""
        if number == self.number + 1:
            self.number = number
            return Arrival.NEXT
        return Arrival.REPEATED if number <= self.number else Arrival.EARLY
