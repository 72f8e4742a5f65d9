"""Own the dataflow kernel that this process's apps use: one at a time."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from nbflow.errors import NotLoaded
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.standin import STAND_INS, Taker, stand_in

__all__ = ["clear", "current", "is_loaded", "taker", "use"]

_current: DataFlowKernel | None = None
_changing = threading.RLock()


def current() -> DataFlowKernel:
    """Return the loaded dataflow kernel. Raises NotLoaded when there is none."""
    kernel = _current
    if kernel is None:
        raise NotLoaded(_why_not())
    return kernel


def taker() -> Taker:
    """Return who takes calls in this thread: the loaded dataflow kernel, or who plans in its place.

    Raises NotLoaded when there is none.
    """
    return (stand_in() if STAND_INS else None) or _current or current()


def is_loaded() -> bool:
    """Tell whether a dataflow kernel is loaded."""
    return _current is not None


def use(kernel: DataFlowKernel) -> None:
    """Make `kernel` the one that apps use, and end the one before."""
    global _current
    with _changing:
        clear()
        _current = kernel


def clear() -> None:
    """End the loaded dataflow kernel: what is unfinished is cancelled, its processes and threads end.

    Returns when all of them are gone. Without one it does nothing.
    """
    global _current
    with _changing:
        kernel, _current = _current, None
        if kernel is not None:
            kernel.close()


def _why_not() -> str:
    if os.environ.get("NBFLOW_WORKER") == str(os.getpid()):
        return "an app was called inside a task, where no dataflow kernel is; call its .fn, or use a join_app"
    return "no dataflow kernel is loaded; call nbflow.load() first"


def _at_exit() -> None:
    kernel = _current
    if kernel is None or not kernel.is_open:
        return
    if _is_restarting():
        kernel.leave()
        return
    left = len(kernel.unfinished())
    clear()
    if left:
        sys.stderr.write(
            f"nbflow: {left} unfinished tasks were cancelled at exit; wait for them with "
            "nbflow.gather(futures), or use `with nbflow.load():`\n"
        )


def _is_restarting() -> bool:
    """Tell whether this is a Jupyter kernel that ends because it was asked to start anew."""
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    app = None if ipykernel is None else ipykernel.IPKernelApp._instance
    said = getattr(getattr(app, "kernel", None), "_shutdown_message", None)
    return bool(said and said["content"].get("restart"))


def _forget() -> None:
    # The threads of the dataflow kernel do not exist in a forked child.
    global _current
    _current = None


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_forget)
