"""Own the running of one command line by bash, in a process group that nothing survives."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from contextlib import suppress
from typing import IO, final

from nbflow.wire.messages import Directive
from nbflow.worker.capture import CHUNK_NBYTES, Kept, open_streams

__all__ = ["Command"]

DRAIN_SECONDS = 1.0
"""How long output is awaited from a process that left the command's process group and lives on."""


@final
class Command:
    """Be one command line on its way through bash; `stop` may be called from any thread."""

    def __init__(self, line: str, directive: Directive) -> None:
        strict = ["-e", "-u", "-o", "pipefail"] if directive.is_strict else []
        self._arguments = ["bash", *strict, "-c", line]
        self._directive = directive
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def run(self, stdout: Kept, stderr: Kept) -> int:
        """Run the command to its end and return its exit code, 128 + n when signal n ended it.

        What it writes goes to the directive's files, else to `stdout` and `stderr`. Processes that it left in
        its process group are killed. Raises TimeoutError when the walltime ended first.
        """
        with open_streams(self._directive.stdout, self._directive.stderr) as files:
            out, err = (subprocess.PIPE if file is None else file for file in files)
            process = self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, process_group=0
            )
        if self._is_stopped:
            self.stop()
        drain = threading.Thread(
            target=_drain,
            args=([(process.stdout, stdout), (process.stderr, stderr)],),
            name="nbflow-bash",
            daemon=True,
        )
        drain.start()
        try:
            code = process.wait(self._directive.walltime)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            self.stop()
            process.wait()
            self._process = None  # its number may be given to another
            drain.join(DRAIN_SECONDS)
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        """Kill the command with its whole process group, or keep it from starting to do anything."""
        self._is_stopped = True
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):  # nothing is left to be killed
                os.killpg(process.pid, signal.SIGKILL)


def _drain(pipes: list[tuple[IO[bytes] | None, Kept]]) -> None:
    """Read the pipes to their ends."""
    with selectors.DefaultSelector() as selector:
        for pipe, kept in pipes:
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, kept)
        while selector.get_map():
            for key, _ in selector.select():
                if data := os.read(key.fd, CHUNK_NBYTES):
                    key.data.add(data)
                else:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
