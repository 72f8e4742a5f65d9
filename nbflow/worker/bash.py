"""Own the running of one command line by bash, in a process group that nothing survives."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, final

from nbflow.wire.messages import Directive
from nbflow.worker.capture import CHUNK_NBYTES, Kept, open_streams

__all__ = ["Command"]

DRAIN_SECONDS = 1.0
"""How long output is awaited from a process that left the command's process group and lives on."""

OF_LAUNCHERS = (
    *("OMPI_UNIVERSE_", "OMPI_COMM", "OMPI_APP_", "OMPI_NUM_", "OMPI_FIRST_", "OMPI_ARGV", "OMPI_FILE_"),
    *("OMPI_MCA_orte_", "OMPI_MCA_ess", "OMPI_MCA_pmix", "OMPI_MCA_rmaps_", "PMIX_", "PMI_", "HYDI_"),
)
"""What the names of variables begin with that a launcher sets for what it starts."""
LAUNCHER_SECONDS = 3.0
"""How long a launcher may take to end what it started."""


@final
class Command:
    """Be one command line on its way through bash; `stop` may be called from any thread.

    With the words of a launcher it is started by that, as several processes, on other nodes as well.
    """

    def __init__(self, line: str, directive: Directive, launch: Sequence[str] = ()) -> None:
        strict = ["-e", "-u", "-o", "pipefail"] if directive.is_strict else []
        self._launch = launch
        self._arguments = [*launch, "bash", *strict, "-c", line]
        self._directive = directive
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self.is_over = False

    def run(self, stdout: Kept, stderr: Kept) -> int:
        """Run the command to its end and return its exit code, 128 + n when signal n ended it.

        What it writes goes to the directive's files, else to `stdout` and `stderr`. Processes that it left in
        its process group are killed. Raises TimeoutError when the walltime ended first.
        """
        with open_streams(self._directive.stdout, self._directive.stderr) as files:
            out, err = (subprocess.PIPE if file is None else file for file in files)
            process = self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
                env=_environment() if self._launch else None,
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
            self.is_over = True
            drain.join(DRAIN_SECONDS)
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        """Kill the command with its whole process group, or keep it from starting to do anything."""
        self._is_stopped = True
        process = self._process
        if process is None:
            return
        if self._launch:  # what it started elsewhere it ends only if it can
            _signal_group(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAUNCHER_SECONDS)
        _signal_group(process, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Return the environment of a launcher: without what the one told that started this pilot."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_LAUNCHERS)}


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nothing is left to be signalled
        os.killpg(process.pid, number)


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
