"""Be a worker process: its arguments are the numbers of two inherited sockets, and of its threads for calls.

Over the first come calls and go results (`wire.bundles`); the second is the line of the keeper
(`worker.keeper`), which is forked off before anything large is imported, so that it stays small.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import sys

from nbflow.worker.keeper import fork_worker

__all__ = ["main"]


def main() -> None:
    """Run calls until told to stop; end at once when the supervisor is gone."""
    sock, line = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    is_threaded = int(sys.argv[3]) > 1
    for inherited in (sock, line):
        inherited.set_inheritable(False)
    fork_worker(line)

    os.environ["NBFLOW_WORKER"] = str(os.getpid())
    # What the interpreter says in a crash goes past the capture, to the supervisor.
    log = os.fdopen(os.dup(2), "w")
    faulthandler.enable(log)
    if is_threaded:
        from nbflow.worker.threads import ThreadedWorker

        ThreadedWorker(sock, log).run()
    else:
        from nbflow.worker.loop import Worker

        Worker(sock, log).run()
