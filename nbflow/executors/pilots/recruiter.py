"""Own the talk with a site's agent: engines that come up are let in, and sent to the lanes of this kernel."""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, final

from nbflow.core.ids import ExecutorId
from nbflow.errors import NbflowError, SiteError
from nbflow.executors.pilots.lanes import Tell
from nbflow.executors.pilots.node import Pass
from nbflow.sites.session import Channel, Session
from nbflow.worker.standby import LEAVE

__all__ = ["Recruiter"]

log = logging.getLogger("nbflow")

START_SECONDS: Final = 60.0
START_TRIES: Final = 2
"""The agent that was found may have been about to end, as it was of no use for long."""
RESTART_SECONDS: Final = 1.0
GOODBYE_SECONDS: Final = 10.0


@final
class Recruiter:
    """Keep a site's agent running, and enlist the engines that it tells of.

    `admit` says for which block an engine comes, with how many workers, or None to leave it alone. `tell` is
    told of one that is useless, and of controllers that took the place of dead ones.
    """

    def __init__(
        self,
        label: ExecutorId,
        session: Session,
        argv: Sequence[str],
        where: Mapping[str, Any],
        admit: Callable[[str, str], Pass | None],
        tell: Tell,
    ) -> None:
        self._label = label
        self._session = session
        self._argv = argv
        self._where = where
        self._admit = admit
        self._tell = tell
        self._is_open = True
        self._is_ready = False
        self._is_settled = threading.Event()
        self._channel: Channel | None = None
        self._thread = threading.Thread(target=self._run, name=f"nbflow-recruiter-{label}", daemon=True)

    def start(self) -> None:
        """Start the agent, and wait until engines can register. Raises SiteError when that fails."""
        self._channel = self._session.start(self._argv)
        self._thread.start()
        self._is_settled.wait(START_SECONDS)
        if not self._is_ready:
            what = "ended" if self._is_settled.is_set() else f"was not there within {START_SECONDS:g} s,"
            self.close()
            raise SiteError(
                f"ipyparallel's controller at {self._label} {what} before engines could register: "
                f"`nbflow doctor {self._label}` says why"
            )

    def close(self) -> None:
        """End the agent with its controller, and wait for the thread."""
        self._is_open = False
        if self._channel is not None:
            with suppress(SiteError):  # it has ended
                self._channel.send(LEAVE)
            self._thread.join(GOODBYE_SECONDS)
            self.leave()

    def leave(self) -> None:
        """Leave the agent to the next kernel, and wait for the thread."""
        self._is_open = False
        if self._channel is not None:
            self._channel.close()
            self._thread.join()

    def _run(self) -> None:
        for ends in itertools.count(1):
            try:
                self._listen()
            except NbflowError as error:
                log.warning("nbflow: %s", error)
            if not self._is_ready and ends == START_TRIES:
                self._is_settled.set()
                return
            time.sleep(RESTART_SECONDS if self._is_open else 0)
            if not self._is_open:
                return
            self._restart()

    def _restart(self) -> None:
        """Start another agent where one has died: it finds the files and keys of the one before."""
        try:
            self._channel = self._session.start(self._argv)
        except NbflowError as error:
            log.warning("nbflow: the agent of a site cannot be started again: %s", error)
        else:
            self._tell("", "restarted", "")

    def _listen(self) -> None:
        """Hear an agent until it ends."""
        assert self._channel is not None
        rest = b""
        while chunk := self._channel.receive():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):  # set-up lines of a site may print what they like
                    self._hear(json.loads(line))

    def _hear(self, said: Mapping[str, Any]) -> None:
        match said["is"]:
            case "ready":
                self._is_ready = True
                self._is_settled.set()
            case "restarted":
                self._tell("", "restarted", "")
            case "trouble":
                self._tell(said["block"], "useless", said["text"])
            case "engine":
                entry = self._admit(said["block"], said["key"])
                if entry is not None:
                    self._send({"id": said["id"], **self._where, "workers": entry.workers})

    def _send(self, order: Mapping[str, Any]) -> None:
        assert self._channel is not None
        self._channel.send(json.dumps(order).encode() + b"\n")
