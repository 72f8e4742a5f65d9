"""Own the control socket of one dataflow kernel: the thread that answers it, and who may come.

It works while a cell is blocked, and the loop never waits for it. Each connection may have one line in either
direction under way; one that does not take its line for a while is dropped.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, final

from nbflow.control.lines import Request, done, failed, peer_uid
from nbflow.control.places import SUFFIX
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.steering.commands import Desk, News
from nbflow.flow.steering.visitor import Visitor
from nbflow.journal.places import make_private

__all__ = ["Control"]

log = logging.getLogger(__name__)

MOST_VISITORS = 64
TICK_SECONDS: Final = 0.25
LOOK_SECONDS: Final = 30.0
"""How often it looks whether its socket is still there: XDG_RUNTIME_DIR goes when its user logs out."""

SLOW_SECONDS: Final = 10.0
"""How long a line may wait to be taken before its connection is dropped."""

CLOSE_SECONDS = 5.0


@final
class Control:
    """Answer the control socket at `path` until `close`. Raises OSError when there can be none."""

    def __init__(
        self, kernel: DataFlowKernel, path: Path, *, look: float = LOOK_SECONDS, slow: float = SLOW_SECONDS
    ) -> None:
        self._path = path
        self._look = look
        self._slow = slow
        self._desk = Desk(kernel)
        self._visitors: set[Visitor] = set()
        self._is_closing = threading.Event()
        self._server = _bound(path)
        self._ear, self._bell = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ, lambda _: None)
        self._selector.register(self._server, selectors.EVENT_READ, self._admit)
        self._thread = threading.Thread(target=self._work, name="nbflow-control", daemon=True)
        _controls.add(self)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody, end the thread, remove the socket."""
        if self._is_closing.is_set():
            return
        self._is_closing.set()
        with suppress(OSError):  # it was awake just now, and has ended by itself
            self._bell.send(b"!")
        self._thread.join(CLOSE_SECONDS)

    def forget(self) -> None:
        """Close what a forked child was left with; the parent keeps its own."""
        for one in (self._server, self._ear, self._bell, *(each.connection for each in self._visitors)):
            one.close()
        self._selector.close()

    def _work(self) -> None:
        try:
            _remove_deaf(self._path.parent)
            while not self._is_closing.is_set():
                for key, mask in self._selector.select(self._patience()):
                    key.data(mask)
                self._tick(time.monotonic())
        finally:
            with suppress(OSError):
                self._path.unlink()
            self._desk.close()
            self.forget()

    def _patience(self) -> float:
        is_waiting = any(visitor.news or visitor.is_busy for visitor in self._visitors)
        return min(TICK_SECONDS, self._look) if is_waiting else self._look

    def _tick(self, now: float) -> None:
        self._renew()
        for visitor in list(self._visitors):
            if visitor.is_busy and now - visitor.moved > self._slow:
                self._drop(visitor)
            elif visitor.news is not None and not visitor.is_busy:
                self._push(visitor, now)

    def _renew(self) -> None:
        """Make the socket again where somebody has removed it."""
        try:
            if self._path.exists():
                return
            server = _bound(self._path)
        except OSError:
            return  # tried again at the next look
        self._selector.unregister(self._server)
        self._server.close()
        self._server = server
        self._selector.register(server, selectors.EVENT_READ, self._admit)

    def _admit(self, _: int) -> None:
        try:
            connection, _address = self._server.accept()
        except BlockingIOError:
            return
        except OSError as error:  # out of file descriptors, as it seems: whoever knocks has to wait
            log.info("nbflow: the control socket takes nobody just now: %s", error)
            self._is_closing.wait(TICK_SECONDS)
            return
        if peer_uid(connection) not in (None, os.getuid()):
            connection.close()
            return
        if len(self._visitors) >= MOST_VISITORS:
            self._drop(min(self._visitors, key=lambda one: (one.news is not None, one.moved)))
        visitor = Visitor(connection, time.monotonic())
        self._visitors.add(visitor)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._serve, visitor))

    def _serve(self, visitor: Visitor, mask: int) -> None:
        if visitor not in self._visitors:
            return  # dropped in this very turn
        now = time.monotonic()
        if mask & selectors.EVENT_WRITE:
            visitor.send(now)
        elif not visitor.read(now):
            self._drop(visitor)
            return
        for line in visitor.requests():
            self._answer(visitor, line)
        self._look_after(visitor)

    def _answer(self, visitor: Visitor, line: bytes) -> None:
        try:
            request = Request.from_line(line)
            values = done(self._desk.do(request.command, request.arguments))
            if request.command == "subscribe":
                visitor.news = News(self._desk, request.arguments.get("since"))
        except Exception as error:  # noqa: BLE001 - it is the answer
            values = failed(error)
        visitor.tell(values)

    def _push(self, visitor: Visitor, now: float) -> None:
        try:
            news = visitor.news() if visitor.news is not None else None
        except Exception as error:  # noqa: BLE001 - it is the last that this visitor is told
            visitor.tell(failed(error), is_last=True)
        else:
            if news is None:
                return
            visitor.moved = now
            visitor.tell(news)
        self._look_after(visitor)

    def _look_after(self, visitor: Visitor) -> None:
        """Wait for what a visitor has to do next, or let it go."""
        if visitor.has_left:
            self._drop(visitor)
            return
        event = selectors.EVENT_WRITE if visitor.is_busy else selectors.EVENT_READ
        key = self._selector.get_key(visitor.connection)
        if key.events != event:
            self._selector.modify(visitor.connection, event, key.data)

    def _drop(self, visitor: Visitor) -> None:
        self._visitors.discard(visitor)
        self._selector.unregister(visitor.connection)
        visitor.connection.close()


def _bound(path: Path) -> socket.socket:
    """Return a listening socket that has its name only once it listens: so nobody finds it deaf."""
    make_private(path.parent)
    draft = path.with_suffix(".new")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind(str(draft))
        draft.chmod(0o600)
        server.listen()
        server.settimeout(0)
        draft.rename(path)
    except BaseException:
        server.close()
        draft.unlink(missing_ok=True)
        raise
    return server


def _remove_deaf(directory: Path) -> None:
    """Remove the sockets of processes that died without a word."""
    for path in directory.glob(f"*{SUFFIX}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller, suppress(OSError):
            caller.settimeout(0)
            try:
                caller.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()


_controls: weakref.WeakSet[Control] = weakref.WeakSet()


def _forget() -> None:
    for control in tuple(_controls):
        control.forget()
    _controls.clear()


os.register_at_fork(after_in_child=_forget)
