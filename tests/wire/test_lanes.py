import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.wire.frames import CorruptMessage
from nbflow.wire.lanes import Arrival, Incoming, Kind, Message, Outgoing, body_of, pack, text_of, unpack


def test_a_message_comes_out_as_it_went_in() -> None:
    message = Message(Kind.FRAMES, 7, 3, 2, 1, [b"head", b"buffer"])
    assert unpack(pack(message)) == message


@given(st.lists(st.binary(max_size=64), max_size=3))
def test_B2_what_is_no_message_is_said_to_be_none(frames: list[bytes]) -> None:
    with pytest.raises(CorruptMessage):
        unpack(frames)


@given(st.binary(max_size=200))
def test_B2_a_body_is_an_object_or_nothing(body: bytes) -> None:
    try:
        expected = json.loads(body)
    except ValueError:
        expected = None
    if isinstance(expected, dict):
        assert body_of(Message(Kind.REGISTER, 1, frames=[body])) == expected
    else:
        with pytest.raises(CorruptMessage):
            body_of(Message(Kind.REGISTER, 1, frames=[body]))


def test_a_body_has_a_limit() -> None:
    with pytest.raises(CorruptMessage, match="bytes"):
        body_of(Message(Kind.REGISTER, 1, frames=[text_of({"long": "x" * 100_000})]))


@given(st.integers(0, 10_000))
def test_F7_messages_arrive_once_and_in_order_over_a_line_that_loses_and_repeats(seed: int) -> None:
    chance = random.Random(seed)
    outgoing, incoming, arrived, line = Outgoing(), Incoming(), [], []
    for number in range(30):
        line.append(outgoing.add(Message(Kind.FRAMES, 1, frames=[bytes([number])])))
        while line and chance.random() < 0.7:
            message = line.pop(0)
            fate = chance.random()
            if fate < 0.2:
                continue  # lost
            if fate > 0.8:
                line.insert(0, message)  # repeated
            arrival = incoming.take(message.number)
            if arrival is Arrival.NEXT:
                arrived.append(message.frames[0])
            elif arrival is Arrival.EARLY and chance.random() < 0.5:
                line = list(outgoing.unacknowledged())
            if chance.random() < 0.5:
                outgoing.acknowledge(incoming.number)
    outgoing.acknowledge(incoming.number)
    left = [one for one in outgoing.unacknowledged() if incoming.take(one.number) is Arrival.NEXT]
    arrived += [one.frames[0] for one in left]
    assert arrived == [bytes([number]) for number in range(30)]
