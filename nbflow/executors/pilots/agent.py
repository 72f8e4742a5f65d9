"""Be the process beside ipyparallel's controller, where a site's engines register; started by a foreman.

It keeps a controller running, prepares each engine that comes, and sends it where its lane has to go. It
talks in lines of JSON: to a foreman on stdout, from it on stdin, whose end is its own. It runs behind a
`standby`, so the foreman that answers may be another one than the one that was told. Keys of the controller
are in files that only this user can read, and nowhere else.

    somebody listens: {"hello": true}
    then, once engines can register: {"is": "ready"}, and all engines that wait for an answer
    engine: {"is": "engine", "id": 3, "key": public key of its lane, "block": ..., "host": ...}
    trouble: {"is": "trouble", "block": ..., "text": why an engine is of no use}
    a controller that had died was started again: {"is": "restarted"}
    answer: {"id": 3, "address": "tcp://...", "server_key": ..., "workers": 4}
    at the end: {"leave": true}
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, final

import psutil

from nbflow.worker.facts import BLOCK, own_address
from nbflow.worker.keeper import WORD

__all__ = ["ENGINE_FILE", "main"]

ENGINE_FILE: Final = "security/ipcontroller-engine.json"
CLIENT_FILE: Final = "security/ipcontroller-client.json"
LOOK_SECONDS: Final = 0.3
START_LOOK_SECONDS: Final = 0.05
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
RESTART_SECONDS: Final = 1.0

KEPT: Final = (
    "import os, socket, sys; from nbflow.worker.keeper import fork_worker; "
    "fork_worker(socket.socket(fileno=int(sys.argv[1]))); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)
"""Run a program under a keeper: nothing that it starts outlives it, or this process."""


@final
class Controller:
    """Keep one ipyparallel controller running, on the same ports and under the same keys."""

    def __init__(self, directory: Path, address: str) -> None:
        self._log = directory / "controller.log"
        self._argv = [
            "-m",
            "ipyparallel.controller",
            f"--profile-dir={directory}",
            f"--ip={address}",
            f"--location={address}",
            "--nodb",
            "--restore",
            "--IPController.enable_curve=True",
            "--HeartMonitor.period=1000",
        ]
        if not (keys := directory / "ipcontroller_config.py").exists():
            self._write_keys(keys)
        self._due = 0.0
        self._parts: list[psutil.Process] = []
        self._known_pid: int | None = None
        self._start()

    def look(self) -> bool:
        """Start it again when it, or a part of it, has ended; return whether that was done."""
        if self._is_whole() or time.monotonic() < self._due:
            return False
        self.close()
        self._start()
        return True

    def count_parts(self) -> None:
        """Note of which processes it consists, now that it serves: without one of them it is of no use."""
        with suppress(psutil.Error):
            self._parts = psutil.Process(self._pid()).children(recursive=True)

    def close(self) -> None:
        """End it, with all that it has started."""
        pid = self._pid()
        self._line.close()
        if self._process.wait() and pid:  # its keeper was killed, and it too, but not what it had started
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _is_whole(self) -> bool:
        if self._process.poll() is not None:
            return False
        try:
            return all(part.status() != psutil.STATUS_ZOMBIE for part in self._parts)
        except psutil.NoSuchProcess:
            return False

    def _pid(self) -> int:
        """Return its process id, as soon as its keeper says it; 0 when there will be none."""
        if self._known_pid is None:
            word = self._line.recv(WORD.size)
            self._known_pid = int(WORD.unpack(word)[0]) if word else 0
        return self._known_pid

    def _start(self) -> None:
        self._due = time.monotonic() + RESTART_SECONDS
        self._parts = []
        self._known_pid = None
        self._line, line = socket.socketpair()
        with line, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", KEPT, str(line.fileno()), *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[line.fileno()],
                start_new_session=True,
            )

    def _write_keys(self, path: Path) -> None:
        """Give the controller keys that outlive it: under new ones, none of its engines could come back."""
        import zmq

        public, secret = zmq.curve_keypair()
        text = (
            "c = get_config()\n"
            f"c.IPController.curve_publickey = {public!r}\nc.IPController.curve_secretkey = {secret!r}\n"
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)


@final
class Agent:
    """Enlist the engines of one site."""

    def __init__(self, directory: Path, address: str) -> None:
        self._directory = directory
        self._orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._controller = Controller(directory, address)
        self._client: Any = None
        self._is_heard = False
        self._known: dict[int, str] = {}
        self._replies: dict[int, tuple[Any, float]] = {}
        self._unanswered: dict[int, dict[str, Any]] = {}

    def run(self) -> None:
        """Serve until stdin is closed."""
        threading.Thread(target=self._read, name="nbflow-agent-stdin", daemon=True).start()
        try:
            while True:
                self._look()
                try:
                    order = self._orders.get(
                        timeout=START_LOOK_SECONDS if self._client is None else LOOK_SECONDS
                    )
                except queue.Empty:
                    continue
                if order is None:
                    return
                if "hello" in order:
                    self._is_heard = True
                    self._greet()
                else:
                    self._send_out(order)
        finally:
            self._controller.close()

    def _look(self) -> None:
        """See to the controller, to the way to it, and to engines that are new."""
        if self._controller.look():
            self._forget_client()
            self._tell({"is": "restarted"})
        if self._client is not None:
            self._enlist()
        elif (self._directory / CLIENT_FILE).exists() and (self._directory / ENGINE_FILE).exists():
            self._open_client()

    def _open_client(self) -> None:
        """Connect to the controller, unless it cannot be reached yet: its files are older than it is."""
        import ipyparallel

        path = str(self._directory / CLIENT_FILE)
        with suppress(TimeoutError, ValueError):  # no answer, or a file that is being written
            self._client = ipyparallel.Client(connection_info=path, timeout=CONNECT_SECONDS)
            self._controller.count_parts()
            if self._is_heard:
                self._greet()

    def _forget_client(self) -> None:
        """Ask all engines again, by way of the next controller: it numbers those anew that come to it."""
        if self._client is not None:
            self._client.close(linger=0)
            self._client = None
        self._known.clear()
        self._replies.clear()
        self._unanswered.clear()

    def _greet(self) -> None:
        if self._client is not None:
            self._tell({"is": "ready"})
            for told in self._unanswered.values():
                self._tell(told)

    def _enlist(self) -> None:
        """Prepare engines that are new, and tell of those that are prepared."""
        from nbflow.worker import lane

        # By their UUIDs, which ipyparallel has no public name for: a controller that was restarted gives
        # the number of an engine that died to the next one.
        for engine, uuid in dict(self._client._engines).items():
            if self._known.get(engine) != uuid and (reply := self._ask(engine, lane.prepare)) is not None:
                self._known[engine] = uuid
                self._replies[engine] = reply, time.monotonic()
        for engine, (reply, asked) in list(self._replies.items()):
            if reply.ready():
                del self._replies[engine]
                self._tell_of(engine, reply)
            elif time.monotonic() - asked > ANSWER_SECONDS:
                del self._replies[engine]
                self._known.pop(engine, None)  # ask again: the controller may have been away

    def _ask(self, engine: int, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call a function at an engine; return what its reply comes in, None when the engine is gone."""
        from ipyparallel.error import NoEnginesRegistered

        try:
            return self._client[engine].apply_async(function, *args, **named)
        except (IndexError, NoEnginesRegistered):
            return None

    def _tell_of(self, engine: int, reply: Any) -> None:
        try:
            prepared = reply.get()
        except Exception as error:  # noqa: BLE001 - whatever the other side raised
            text = f"an engine came up and cannot start a lane: {error}"
            if (block := self._ask(engine, os.getenv, BLOCK, "")) is None:
                self._known.pop(engine, None)  # it died
            else:
                block.add_done_callback(
                    lambda reply: self._tell({"is": "trouble", "block": reply.result(), "text": text})
                )
            return
        if not prepared["key"]:
            return  # its lane runs
        facts = prepared["facts"]
        told = {name: facts[name] for name in ("block", "host", "job", "pid")}
        said = self._unanswered[engine] = {"is": "engine", "id": engine, "key": prepared["key"], **told}
        self._tell(said)

    def _send_out(self, order: dict[str, Any]) -> None:
        from nbflow.worker import lane

        engine = order.pop("id")
        if self._unanswered.pop(engine, None) is not None:  # else it was sent out by another foreman
            self._ask(engine, lane.connect, **order)

    def _read(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            self._orders.put(None if "leave" in order else order)
        self._orders.put(None)

    def _tell(self, what: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serve with the directory, and on the address, that are the arguments."""
    directory = Path(sys.argv[1])
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    Agent(directory, own_address(sys.argv[2])).run()


if __name__ == "__main__":
    main()
