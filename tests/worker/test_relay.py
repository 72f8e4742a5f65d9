"""The relay that joins a pilot's lane with the kernel that fetches it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nbflow.worker.relay import WAITING
from nbflow.worker.standby import HELLO, LEAVE

SECONDS = 20.0


@pytest.fixture
def relay() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "nbflow.worker.relay", "127.0.0.1", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.write(LEAVE)
        process.stdin.flush()
        assert process.wait(SECONDS) == 0


def line(relay: subprocess.Popen[bytes]) -> bytes:
    assert relay.stdout is not None
    return relay.stdout.readline().strip()


def test_a_lane_whose_fetch_was_lost_is_offered_again(relay: subprocess.Popen[bytes]) -> None:
    assert relay.stdin is not None
    relay.stdin.write(HELLO)
    relay.stdin.flush()
    told = json.loads(line(relay))
    host, _, port = told["address"].removeprefix("tcp://").rpartition(":")
    inner = ("127.0.0.1", told["port"])
    with socket.create_connection((host, int(port)), SECONDS) as lane:
        assert line(relay) == WAITING
        socket.create_connection(inner, SECONDS).close()
        assert line(relay) == WAITING, "nobody fetched it"
        with socket.create_connection(inner, SECONDS) as fetched:
            fetched.sendall(told["token"].encode())
            lane.sendall(b"from the pilot")
            assert fetched.recv(100) == b"from the pilot"
            fetched.sendall(b"from the kernel")
            assert lane.recv(100) == b"from the kernel"
