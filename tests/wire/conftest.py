"""Cells of a notebook, and a second process that is plain Python."""

import linecache
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from nbflow.core.ids import TaskId, TryId
from nbflow.wire.bundles import Outcomes, decode_report, encode_bundle
from nbflow.wire.frames import Inbound, receive, send
from nbflow.wire.functions import Portable
from nbflow.wire.messages import PYTHON, Call
from nbflow.wire.outcome import Outcome
from nbflow.wire.values import Definitions

WORKER = """
import socket, sys
from nbflow.wire.bundles import Bundle, decode_order, encode_outcomes
from nbflow.wire.outcome import Outcome
from nbflow.wire.frames import Inbound, receive, send
from nbflow.wire.values import Definitions

sock, definitions, known = socket.socket(fileno=int(sys.argv[1])), Definitions(), set()

def run(parcel):
    try:
        fn, (args, kwargs) = parcel.open()
        return Outcome(parcel.task, parcel.try_id, fn(*args, **kwargs))
    except BaseException as error:
        return Outcome(parcel.task, parcel.try_id, None, error)

for frames in receive(sock, Inbound()):
    outcomes = [run(parcel) for parcel in decode_order(frames, definitions).parcels]
    send(sock, encode_outcomes(outcomes, definitions, known))
"""


class Notebook:
    """Run cells in one namespace that is called `__main__`, as a kernel does."""

    _numbers = count()

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def cell(self, source: str) -> None:
        filename = f"<cell {next(self._numbers)}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        exec(compile(source, filename, "exec"), self.names)

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


class Peer:
    """Call functions in a second process, over the real codec and socket."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self.known: set[int] = set()
        self.definitions = Definitions()
        self.messages = receive(self.sock, Inbound())

    def outcomes(self, *calls: Call) -> list[Outcome]:
        frames, failures = encode_bundle(calls, self.known)
        assert failures == []
        send(self.sock, frames)
        report = decode_report(next(self.messages), self.definitions)
        assert isinstance(report, Outcomes)
        return list(report.outcomes)

    def outcome(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Outcome:
        return self.outcomes(call(fn, *args, **kwargs))[0]

    def run(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        outcome = self.outcome(fn, *args, **kwargs)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def close(self) -> None:
        self.sock.close()
        self.process.wait()


def call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
    function = Portable(fn).snapshot(encode=True)
    return Call(TaskId(1), TryId(1), function, lambda: (args, kwargs), PYTHON)


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()
