"""Run a program at a site that outlives the channel it was started through, and join a channel to it.

    python -m nbflow.worker.standby DIRECTORY NAME SECONDS MODULE [WORD...]

starts `python -m MODULE WORD...` unless it runs already, tells it HELLO in a line, and then carries lines
both ways until either side ends. The program runs on when the channel ends, and what it says meanwhile is
dropped; after SECONDS without another channel its stdin is closed, and the DIRECTORY is removed when it has
ended. A channel that comes takes the place of the one before. `--end DIRECTORY` ends what runs there.
Programs are reached over loopback, with a token that is in a file which only this user can read.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, final

__all__ = ["HELLO", "LEAVE", "main"]

HELLO: Final = b'{"hello": true}\n'
"""Somebody listens from now on: say again where you are, and what waits for an answer."""
LEAVE: Final = b'{"leave": true}\n'
"""End, with all that belongs to you."""

LOOPBACK: Final = "127.0.0.1"
START_SECONDS: Final = 20.0
CHUNK_NBYTES: Final = 1 << 16
LINE_NBYTES: Final = 1 << 20
KEEP: Final = "--keep"
END: Final = "--end"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@final
class Keeper:
    """Keep one program running, and let one channel at a time talk to it."""

    def __init__(self, door: Path, seconds: float, opened: Callable[[], None]) -> None:
        self._door = door
        self._seconds = seconds
        self._opened = opened
        self._token = secrets.token_hex(16).encode()
        self._channel: asyncio.StreamWriter | None = None
        self._orphaned = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, argv: list[str]) -> bool:
        """Serve until the program has ended; return whether that was because nobody came."""
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_NBYTES,
        )
        assert program.stdin is not None
        assert program.stdout is not None
        self._stdin = program.stdin
        server = await asyncio.start_server(self._take, LOOPBACK, 0, limit=LINE_NBYTES)
        port = server.sockets[0].getsockname()[1]
        _write(self._door, {"port": port, "token": self._token.decode(), "pid": os.getpid()})
        self._opened()
        self._wait_for_channel()
        ending = asyncio.create_task(self._end_orphan())
        while line := await program.stdout.readline():
            if self._channel is not None:
                self._channel.write(line)
        await program.wait()
        ending.cancel()
        if self._channel is not None:
            self._channel.close()
        return self._orphaned.is_set()

    def owns_door(self) -> bool:
        """Return whether it is the one behind the door, and the door is there."""
        with suppress(OSError, ValueError):
            return bool(json.loads(self._door.read_text())["token"] == self._token.decode())
        return False

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = (await reader.readline()).strip()
        except ValueError:  # a line without an end: no channel of ours
            said = b""
        if not secrets.compare_digest(said, self._token):
            writer.close()
            return
        before, self._channel = self._channel, writer
        if before is not None:
            before.close()
        if self._timer is not None:
            self._timer.cancel()
        line = HELLO
        with suppress(OSError, ValueError):
            while line:
                self._stdin.write(line)
                await self._stdin.drain()
                line = await reader.readline()
        writer.close()
        if self._channel is writer:
            self._channel = None
            self._wait_for_channel()

    def _wait_for_channel(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._orphaned.set)

    async def _end_orphan(self) -> None:
        await self._orphaned.wait()
        self._stdin.close()


def _keep(door: Path, lock: int, seconds: float, argv: list[str]) -> None:
    """Keep a program in a process of its own, which is nobody's child: a kernel may end all that it has.

    It holds the lock until it has a door, even when the one that started it is killed meanwhile: of two
    programs, neither would have all of the engines. Then it closes its stdout.
    """
    if os.fork():
        os._exit(0)

    def opened() -> None:
        os.close(lock)
        os.dup2(2, 1)

    keeper = Keeper(door, seconds, opened)
    is_orphaned = asyncio.run(keeper.run(argv))
    if _lock(door) is not None and keeper.owns_door():
        if is_orphaned:
            shutil.rmtree(door.parent, ignore_errors=True)
        else:
            door.unlink(missing_ok=True)


def _lock(door: Path, flags: int = 0) -> int | None:
    """Be the only one who opens or closes a door; return None where its directory was removed."""
    path = door.with_suffix(".lock")
    with suppress(FileNotFoundError):
        while True:
            lock = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
            os.close(lock)
    return None


def _write(door: Path, what: object) -> None:
    part = door.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(what, file)
    part.replace(door)


def _connect(door: Path) -> socket.socket | None:
    """Return a connection to the program behind a door, None when none runs on this machine."""
    try:
        said = json.loads(door.read_text())
        sock = socket.create_connection((LOOPBACK, said["port"]), 5)
    except (OSError, ValueError):
        return None
    sock.settimeout(None)
    sock.sendall(said["token"].encode() + b"\n")
    return sock


def _start(door: Path, lock: int, words: list[str]) -> socket.socket:
    """Start a keeper and connect to it."""
    door.unlink(missing_ok=True)
    log = os.open(door.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    starter = subprocess.Popen(
        [sys.executable, "-m", "nbflow.worker.standby", KEEP, str(lock), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
        pass_fds=[lock],
    )
    os.close(log)
    assert starter.stdout is not None
    # The keeper closes its stdout when it has a door; or it has ended, and there will never be one.
    select.select([starter.stdout], [], [], START_SECONDS)
    starter.wait()
    if (sock := _connect(door)) is None:
        raise SystemExit(f"nbflow: {' '.join(words)} did not start; {door.with_suffix('.log')} may say why")
    return sock


def _join(sock: socket.socket) -> None:
    """Carry bytes between a connection and stdin and stdout, until either ends."""

    def send() -> None:
        with suppress(OSError):
            while chunk := os.read(0, CHUNK_NBYTES):
                sock.sendall(chunk)
            sock.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=send, daemon=True).start()
    with suppress(OSError):
        while chunk := sock.recv(CHUNK_NBYTES):
            os.write(1, chunk)


def _end_all(directory: Path) -> None:
    """End all programs behind the doors of a directory, and remove it."""
    for door in directory.glob("*.json"):
        if (sock := _connect(door)) is not None:
            sock.sendall(LEAVE)
            while sock.recv(CHUNK_NBYTES):
                pass
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Join this process's stdin and stdout to the program that the arguments name."""
    if sys.argv[1] == END:
        _end_all(Path(sys.argv[2]))
        return
    *flags, directory, name, seconds = sys.argv[1 : 6 if sys.argv[1] == KEEP else 4]
    door = Path(directory) / f"{name}.json"
    if flags:
        _keep(door, int(flags[1]), float(seconds), sys.argv[6:])
        return
    while (lock := _lock(door, os.O_CREAT)) is None:
        door.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sock = _connect(door) or _start(door, lock, sys.argv[1:])
    os.close(lock)
    _join(sock)


if __name__ == "__main__":
    main()
