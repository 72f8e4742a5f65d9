"""Rows B2, A5, A6 and A10 at the lanes' port: what comes in is nonsense, forged, or under a stolen key."""

import json
import random
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbflow.core.events import Returned
from nbflow.core.states import Cause
from nbflow.executors.protocol import NodeDown, NodeUp
from nbflow.wire.bundles import encode_given_back, encode_outcomes
from nbflow.wire.lanes import Kind, Message, pack, text_of
from nbflow.wire.outcome import Outcome
from nbflow.wire.values import Definitions
from nbflow.worker.facts import facts
from tests.contracts.executors import Driver
from tests.executors.lanes import LanesExecutor
from tests.executors.strangers import Stranger, canary, let_in

STRANGERS, MESSAGES, CONNECTIONS = 60, 40, 150
GROWTH_NBYTES = 100 << 20
EPOCH = 77

EXTREMES = [0, 1, -1, 1 << 31, 1 << 63, (1 << 64) - 1, 10**400, 1e308, float("nan"), float("inf")]
VALUES: list[Any] = [*EXTREMES, None, "", "x" * 5000, "\0", "\ud800", [], {}, True, [[[]]], {"a": {}}]


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver(LanesExecutor(gone=0.5, silent=5.0, beat=0.2))
    assert driver.slots
    yield driver
    driver.close()


@pytest.fixture
def chance() -> random.Random:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", file=sys.stderr)
    return random.Random(seed)


def register(**changes: Any) -> list[Any]:
    return pack(Message(Kind.REGISTER, EPOCH, frames=[text_of({**facts(), "workers": 1, **changes})]))


def nonsense(chance: random.Random) -> list[Any]:
    """Return a message that is wrong in one way or another, or right at the wrong time."""
    number = chance.choice([0, 1, 2, 3, chance.randrange(1 << 64)])
    match chance.randrange(6):
        case 0:
            return [chance.randbytes(chance.randrange(200)) for _ in range(chance.randrange(1, 4))]
        case 1:
            name = chance.choice(list(facts()))
            return register(**{name: chance.choice(VALUES)})
        case 2:
            body = chance.choice([b"[" * 60_000, b"{}", b"[]", b"{", b'"', json.dumps(VALUES[0]).encode()])
            return pack(Message(chance.choice(list(Kind)), EPOCH, number, frames=[body]))
        case 3:
            frames = [chance.randbytes(chance.randrange(100)) for _ in range(chance.randrange(5))]
            return pack(Message(chance.choice(list(Kind)), EPOCH, number, number, 1, frames))
        case 4:
            message = pack(Message(Kind.FRAMES, EPOCH, number, 0, chance.randrange(1 << 32), [b"\x80\x05N."]))
            return message[:1] if chance.random() < 0.5 else [*message, *message]
        case _:
            head = struct.pack("<4sBQQQI", b"nbl1", chance.randrange(256), EPOCH, number, number, 1)
            return [head[: chance.randrange(len(head) + 1)]]


def test_B2_pilots_that_send_nonsense_are_shut_out_others_work_on_and_memory_is_bounded(
    driver: Driver, chance: random.Random
) -> None:
    lanes = driver.executor.lanes
    before = psutil.Process().memory_info().rss
    for number in range(STRANGERS):
        stranger = let_in(driver.executor, f"other{number}")
        try:
            if chance.random() < 0.7:
                stranger.send(register(host=f"stranger{number}"))
            for _ in range(MESSAGES):
                stranger.send(nonsense(chance))
            if number % 10 == 0:
                assert isinstance(driver.run(lambda: 1), Returned)
            stranger.socket.poll(20)
        finally:
            stranger.close()
    assert isinstance(driver.run(lambda: 1), Returned)
    driver.wait_until(lambda: len(lanes.nodes()) == 1 or not time.sleep(0.01))
    assert [node.entry.block for node in lanes.nodes()] == ["block1"]
    driver.take_all()
    ups = {one.node for one in driver.seen if isinstance(one, NodeUp)}
    downs = [one.node for one in driver.seen if isinstance(one, NodeDown)]
    assert set(downs) <= ups, "a node went that never came"
    assert len(downs) == len(set(downs)) == len(ups) - 1
    assert psutil.Process().memory_info().rss - before < GROWTH_NBYTES


def test_B2_a_pilot_that_cannot_say_what_it_has_never_was_a_node(driver: Driver) -> None:
    strangers = []
    try:
        for name in ("cores", "memory", "gpus", "host"):
            for value in ("", -1, 10**400, float("inf"), None, [], 1 << 70):
                strangers.append(let_in(driver.executor, "other"))
                strangers[-1].send(register(**{name: value}))
        for stranger in strangers:
            stranger.socket.poll(50)
        assert isinstance(driver.run(lambda: 1), Returned)
        assert [node.entry.block for node in driver.executor.lanes.nodes()] == ["block1"]
        assert len([one for one in driver.seen if isinstance(one, NodeUp)]) == 1
        assert not [one for one in driver.seen if isinstance(one, NodeDown)]
    finally:
        for stranger in strangers:
            stranger.close()


def test_B2_bytes_that_are_no_connection_hurt_nobody(driver: Driver, chance: random.Random) -> None:
    host, _, port = driver.executor.address.removeprefix("tcp://").partition(":")
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00"
    starts = [b"", greeting, greeting + b"CURVE".ljust(20, b"\0") + bytes(32), b"\xff" * 9, b"\xff\xff" * 500]
    files, memory = psutil.Process().num_fds(), psutil.Process().memory_info().rss
    connections = []
    for _ in range(CONNECTIONS):
        connection = socket.create_connection((host, int(port)), 10)
        connections.append(connection)
        with suppress(OSError):  # it was closed, which it may be
            connection.sendall(chance.choice(starts) + chance.randbytes(chance.randrange(2000)))
    assert isinstance(driver.run(lambda: 1), Returned)
    for connection in connections:
        connection.close()
    end = time.monotonic() + 20
    while psutil.Process().num_fds() > files + 2:
        assert time.monotonic() < end, "connections are kept that are closed"
        time.sleep(0.05)
    assert len(driver.executor.lanes.nodes()) == 1
    assert psutil.Process().memory_info().rss - memory < GROWTH_NBYTES


def test_A5_a_pilot_reports_of_its_own_calls_only(driver: Driver) -> None:
    call = driver.call(lambda: __import__("time").sleep(1.5) or "true")
    driver.send(call)
    forger = let_in(driver.executor, "forger")
    try:
        forger.send(register(host="forger"))
        driver.wait_until(lambda: [one for one in driver.seen if isinstance(one, NodeUp)][1:])
        forged = encode_outcomes([Outcome(call.task, call.try_id, "forged")], Definitions(), set())
        for number, frames in enumerate((encode_given_back((), is_answer=False), forged, forged), start=1):
            forger.send(pack(Message(Kind.FRAMES, EPOCH, number, worker=1, frames=frames)))
        end = driver.end_of(call)
        assert isinstance(end, Returned)
        assert end.value == "true"
    finally:
        forger.close()


def test_A6_no_pickle_is_read_in_any_field_that_is_not_a_workers_report(
    driver: Driver, tmp_path: Path
) -> None:
    bad = canary(tmp_path)
    for kind in Kind:
        for epoch in (EPOCH, 1):
            stranger = let_in(driver.executor, "other")
            try:
                stranger.send(register(host="other") if epoch == EPOCH else [b"?", bad])
                stranger.send([bad])
                stranger.send(pack(Message(kind, epoch, 1, worker=99, frames=[bad])))
                stranger.send(pack(Message(kind, epoch, 2, worker=99, frames=[bad, bad])))
                stranger.send(register(host=bad.decode("latin-1"), job=bad.hex()))
                stranger.socket.poll(20)
            finally:
                stranger.close()
    assert isinstance(driver.run(lambda: 1), Returned)
    assert not (tmp_path / "canary").exists()


def test_A10_a_key_is_of_no_use_after_the_end_of_its_block(driver: Driver) -> None:
    lanes = driver.executor.lanes
    first = let_in(driver.executor, "other")
    again = None
    try:
        first.send(register(host="other"))
        driver.wait_until(lambda: [one for one in driver.seen if isinstance(one, NodeUp)][1:])
        lanes.end("other", Cause.EXPIRED, "its job ended")
        driver.wait_until(lambda: [one for one in driver.seen if isinstance(one, NodeDown)])
        again = Stranger(driver.executor, keys=first.keys)
        for stranger in (first, again):  # on the open connection, and on a new one
            stranger.send(pack(Message(Kind.REGISTER, EPOCH + 1, frames=[text_of(facts())])))
        time.sleep(0.5)
        assert isinstance(driver.run(lambda: 1), Returned)
        assert [node.entry.block for node in lanes.nodes()] == ["block1"]
    finally:
        first.close()
        if again is not None:
            again.close()


def test_A10_a_key_that_another_process_shows_is_refused_and_its_owner_works_on(driver: Driver) -> None:
    owner = let_in(driver.executor, "other")
    thief = Stranger(driver.executor, keys=owner.keys)
    try:
        owner.send(register(host="other", job="12"))
        driver.wait_until(lambda: [one for one in driver.seen if isinstance(one, NodeUp)][1:])
        stolen = {**facts(), "host": "other", "job": "13"}
        thief.send(pack(Message(Kind.REGISTER, EPOCH + 1, frames=[text_of(stolen)])))
        assert thief.socket.poll(10_000)
        assert b"another process" in thief.socket.recv_multipart()[1]
        assert [node.epoch for node in driver.executor.lanes.nodes() if node.entry.block == "other"] == [
            EPOCH
        ]
        assert not [one for one in driver.seen if isinstance(one, NodeDown)]
    finally:
        owner.close()
        thief.close()
