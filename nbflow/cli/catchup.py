"""Own the care for journals that lag behind their live run: they are brought up to date, or it is told."""

from __future__ import annotations

import sys

from nbflow.control.client import connect_to
from nbflow.errors import ControlError
from nbflow.journal.reader import Reader
from nbflow.journal.runs import RunStatus

__all__ = ["catch_up"]

PATIENCE_SECONDS = 2.0


def catch_up(reader: Reader) -> None:
    """Have a live run write down what happened until now; say on standard error when it cannot."""
    run = reader.info()
    if run.status is not RunStatus.RUNNING or not run.info.get("control"):
        return
    try:
        with connect_to(run, timeout=PATIENCE_SECONDS) as client:
            status = client.call("status")
    except ControlError:
        return  # it ends just now, or is stopped: its journal is what there is
    if status["trouble"]:
        left = status["unfinished"]
        print(f"nbflow: the run has {left} unfinished tasks; {status['trouble']}", file=sys.stderr)
