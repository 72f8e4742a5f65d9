"""What connects to the lanes' port and is no pilot, or one that behaves as none does."""

import pickle
from contextlib import suppress
from pathlib import Path

import zmq

from nbflow.executors.pilots.node import Pass
from tests.executors.lanes import LanesExecutor


class Stranger:
    """Something that connects to the lanes' port, under keys of its own."""

    def __init__(
        self,
        executor: LanesExecutor,
        *,
        server_key: str | None = None,
        is_bare: bool = False,
        keys: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.keys = keys or zmq.curve_keypair()
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if not is_bare:
            self.socket.curve_publickey, self.socket.curve_secretkey = self.keys
            self.socket.curve_serverkey = (server_key or executor.server_key).encode()
        self.socket.connect(executor.address)

    @property
    def key(self) -> str:
        return self.keys[0].decode()

    def send(self, frames: list) -> None:
        with suppress(zmq.Again):  # it was refused: there is no connection to send on
            self.socket.send_multipart(frames, zmq.DONTWAIT)

    def close(self) -> None:
        self.socket.close()
        self.context.term()


def let_in(executor: LanesExecutor, block: str) -> Stranger:
    """Return a stranger whose key is allowed, before it connects."""
    keys = zmq.curve_keypair()
    executor.lanes.allow(Pass(keys[0].decode(), block, 1))
    return Stranger(executor, keys=keys)


class Canary:
    """Leave a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def canary(folder: Path) -> bytes:
    """Return a pickle that touches `folder/canary`."""
    return pickle.dumps(Canary(folder / "canary"))
