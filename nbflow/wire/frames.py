"""Own messages of many frames on one socket: lengths first, then the bytes, without copying or joining them.

A message is a header (magic, number of frames, checks), the length of each frame, and the frames. What
arrives damaged raises `CorruptMessage` before anything is allocated for it. Refuses to know what frames mean.
"""

from __future__ import annotations

import socket
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import final

from nbflow.errors import NbflowError

__all__ = ["Buffer", "CorruptMessage", "Inbound", "Outbound", "receive", "send"]

Buffer = bytes | bytearray | memoryview

_HEADER = struct.Struct("<4sIII")
_MAGIC = b"nbf1"
_MAX_FRAMES = 1 << 20
_MAX_BYTES = 1 << 38
_VECTORS = 256
"""Frames given to one `sendmsg`; the system's own limit is 1024."""
_SMALL = 1 << 16
"""Bytes asked of a socket when nothing large is expected."""


@final
class CorruptMessage(NbflowError):
    """Say that the other side sent what is no message; nothing after it can be trusted."""


def _table(frames: Sequence[Buffer]) -> bytes:
    lengths = struct.pack(f"<{len(frames)}Q", *map(_nbytes, frames))
    return _HEADER.pack(_MAGIC, len(frames), zlib.crc32(lengths), _mix(len(frames))) + lengths


def _mix(count: int) -> int:
    """Return the check of a count of frames, which is trusted before the lengths are there."""
    return count ^ 0x5A5AA5A5


_MIX_OF_ONE = _mix(1)


def _nbytes(frame: Buffer) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)


@final
class Outbound:
    """Queue messages for a socket and send as much of them as it takes."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()

    def __bool__(self) -> bool:
        """Tell whether something is still to be sent."""
        return bool(self._pieces)

    def put(self, frames: Sequence[Buffer]) -> None:
        """Queue one message; its frames must not change until they are sent."""
        table = _table(frames)
        if sum(map(_nbytes, frames)) <= _SMALL:
            # One piece: a copy of so little costs less than another view does.
            self._pieces.append(memoryview(b"".join((table, *frames))))
            return
        self._pieces.append(memoryview(table))
        self._pieces.extend(memoryview(frame).cast("B") for frame in frames if _nbytes(frame))

    def send(self, sock: socket.socket) -> bool:
        """Send until all is gone (True) or a non-blocking socket takes no more (False). Raises OSError."""
        pieces = self._pieces
        while pieces:
            try:
                if len(pieces) == 1:
                    sent = sock.send(pieces[0])
                else:
                    sent = sock.sendmsg([pieces[i] for i in range(min(len(pieces), _VECTORS))])
            except BlockingIOError:
                return False
            while pieces and sent >= len(pieces[0]):
                sent -= len(pieces.popleft())
            if sent:
                pieces[0] = pieces[0][sent:]
        return True


@final
class Inbound:
    """Put messages together from whatever a socket gives; large frames are received in place."""

    def __init__(self) -> None:
        self._small = bytearray()
        self._lengths: list[int] | None = None
        self._frames: list[bytearray] = []
        self._filled = 0
        self.is_closed = False

    def receive(self, sock: socket.socket) -> list[list[bytearray]]:
        """Read once; return the messages that became complete. `is_closed` tells that no more will come.

        Raises CorruptMessage, and OSError other than that a non-blocking socket has nothing.
        """
        try:
            if self._missing() > _SMALL:
                nbytes = sock.recv_into(memoryview(self._frames[-1])[self._filled :])
                self._filled += nbytes
            else:
                data = sock.recv(_SMALL)
                if self._lengths is None and not self._small and (frame := _only_frame(data)) is not None:
                    return [[frame]]
                nbytes = len(data)
                self._small += data
        except BlockingIOError:
            return []
        if nbytes == 0:
            self.is_closed = True
        return list(self._messages())

    def _missing(self) -> int:
        """Return how much the frame under way still lacks; what came in advance is given to it first."""
        if self._lengths is None or not self._frames or self._filled == len(self._frames[-1]):
            return 0
        return len(self._frames[-1]) - self._filled

    def _messages(self) -> Iterator[list[bytearray]]:
        while self._lengths is not None or self._open():
            assert self._lengths is not None
            if not self._fill(self._lengths):
                return
            frames, self._frames, self._lengths, self._filled = self._frames, [], None, 0
            yield frames

    def _open(self) -> bool:
        """Read a header and its lengths, once they are complete."""
        small = self._small
        if len(small) < _HEADER.size:
            return False
        magic, count, checksum, check = _HEADER.unpack_from(small)
        if magic != _MAGIC or check != _mix(count) or count > _MAX_FRAMES:
            raise CorruptMessage("a worker process and its owner no longer understand each other: bad header")
        end = _HEADER.size + 8 * count
        if len(small) < end:
            return False
        table = bytes(small[_HEADER.size : end])
        lengths = struct.unpack(f"<{count}Q", table)
        if zlib.crc32(table) != checksum or sum(lengths) > _MAX_BYTES:
            raise CorruptMessage(
                "a worker process and its owner no longer understand each other: bad lengths"
            )
        del small[:end]
        self._lengths = list(lengths)
        return True

    def _fill(self, lengths: list[int]) -> bool:
        """Move what came into frames; tell whether all of them are complete."""
        small = self._small
        while True:
            if self._frames and self._filled < len(self._frames[-1]):
                frame = self._frames[-1]
                taken = min(len(frame) - self._filled, len(small))
                frame[self._filled : self._filled + taken] = small[:taken]
                del small[:taken]
                self._filled += taken
                if self._filled < len(frame):
                    return False
            if len(self._frames) == len(lengths):
                return True
            length = lengths[len(self._frames)]
            if length <= len(small):
                self._frames.append(small[:length])
                del small[:length]
                self._filled = length
            else:
                self._frames.append(bytearray(length))
                self._filled = 0


def _only_frame(data: bytes) -> bytearray | None:
    """Return the frame when `data` is one whole message of one frame, as most are; None when it is not."""
    start = _HEADER.size + 8
    if len(data) < start:
        return None
    magic, count, checksum, check = _HEADER.unpack_from(data)
    if magic != _MAGIC or count != 1 or check != _MIX_OF_ONE:
        return None
    table = data[_HEADER.size : start]
    if int.from_bytes(table, "little") != len(data) - start or zlib.crc32(table) != checksum:
        return None
    return bytearray(data[start:])


def send(sock: socket.socket, frames: Sequence[Buffer]) -> None:
    """Send one message over a blocking socket. Raises OSError when the other side is gone."""
    outbound = Outbound()
    outbound.put(frames)
    outbound.send(sock)


def receive(sock: socket.socket, inbound: Inbound) -> Iterator[list[bytearray]]:
    """Give the messages of a blocking socket, one after the other, until the other side closes it."""
    while not inbound.is_closed:
        yield from inbound.receive(sock)
