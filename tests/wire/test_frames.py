"""Messages over a socket, however it cuts them; and bytes that are no message."""

import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.wire.frames import CorruptMessage, Inbound, Outbound, receive, send


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


class Drip:
    """Be a socket that gives a few bytes at a time, then ends."""

    def __init__(self, data, step):
        self.data, self.step, self.at = data, step, 0

    def recv(self, nbytes):
        piece = self.data[self.at : self.at + min(nbytes, self.step)]
        self.at += len(piece)
        return piece

    def recv_into(self, view):
        piece = self.recv(len(view))
        view[: len(piece)] = piece
        return len(piece)


def as_bytes(*messages):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in messages:
            send(ours, message)
        ours.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: theirs.recv(1 << 16), b""))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=300), max_size=5), max_size=5), st.integers(1, 400))
def test_any_messages_cut_anywhere(messages, step):
    got = list(receive(Drip(as_bytes(*messages), step), Inbound()))
    assert [[bytes(frame) for frame in message] for message in got] == messages


def test_large_frames_with_a_socket_that_is_full(pair):
    ours, theirs = pair
    ours.setblocking(False)
    theirs.setblocking(False)
    frames = [b"head", os.urandom(3_000_000), b"", memoryview(os.urandom(500_000))]
    outbound, inbound, got = Outbound(), Inbound(), []
    outbound.put(frames)
    outbound.put([b"next"])
    is_full = False
    while outbound or len(got) < 2:
        is_full = not outbound.send(ours) or is_full
        got += inbound.receive(theirs)
    assert is_full
    assert [[bytes(frame) for frame in message] for message in got] == [[bytes(f) for f in frames], [b"next"]]
    assert inbound.receive(theirs) == []


def test_more_frames_than_one_call_of_the_system_takes(pair):
    send(pair[0], [b"x"] * 3000)
    assert len(next(receive(pair[1], Inbound()))) == 3000


def test_the_end_is_seen(pair):
    inbound = Inbound()
    pair[0].close()
    assert list(receive(pair[1], inbound)) == []
    assert inbound.is_closed


@pytest.mark.parametrize("at", [0, 4, 8, 12, 17, 22])
def test_damaged_headers_raise_and_allocate_nothing(at):
    data = bytearray(as_bytes([b"a" * 10]))
    data[at] ^= 0x80
    with pytest.raises(CorruptMessage):
        list(receive(Drip(bytes(data), 1 << 16), Inbound()))


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=16, max_size=200))
def test_noise_raises(noise):
    with pytest.raises(CorruptMessage):
        list(receive(Drip(noise, 64), Inbound()))
