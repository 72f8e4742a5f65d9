"""Run parallel workflows from a notebook: apps, futures, and a live view of the task graph.

    import nbflow as nf

    nf.load()

    @nf.python_app
    def area(n): ...

    nf.gather(area.map(range(10)))

Every name here is imported when it is first used: `import nbflow` itself is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbflow._version import __version__

if TYPE_CHECKING:
    from nbflow.apps.app import AppFunction as AppFunction
    from nbflow.apps.decorators import App as App
    from nbflow.apps.decorators import bash_app as bash_app
    from nbflow.apps.decorators import join_app as join_app
    from nbflow.apps.decorators import python_app as python_app
    from nbflow.apps.executor import Executor as Executor
    from nbflow.apps.files import AUTO as AUTO
    from nbflow.config.model import Config as Config
    from nbflow.config.model import Futures as Futures
    from nbflow.config.model import Pilots as Pilots
    from nbflow.config.model import Processes as Processes
    from nbflow.config.model import Threads as Threads
    from nbflow.config.sessions import sessions as sessions
    from nbflow.config.sites import job_script as job_script
    from nbflow.core.retry import Decision as Decision
    from nbflow.core.retry import RetryPolicy as RetryPolicy
    from nbflow.data.file import File as File
    from nbflow.flow.current import clear as clear
    from nbflow.flow.failures import failures as failures
    from nbflow.flow.future import AppFuture as AppFuture
    from nbflow.flow.future import DataFuture as DataFuture
    from nbflow.flow.load import load as load
    from nbflow.flow.nodes import nodes as nodes
    from nbflow.flow.nodes import scale as scale
    from nbflow.flow.planning import plan as plan
    from nbflow.flow.sharing import export_results as export_results
    from nbflow.flow.sharing import import_results as import_results
    from nbflow.flow.steering import attr as attr
    from nbflow.flow.steering import cancel as cancel
    from nbflow.flow.steering import capsule as capsule
    from nbflow.flow.steering import events as events
    from nbflow.flow.steering import forget as forget
    from nbflow.flow.steering import pause as pause
    from nbflow.flow.steering import release as release
    from nbflow.flow.steering import resume as resume
    from nbflow.flow.steering import retry as retry
    from nbflow.flow.steering import skip as skip
    from nbflow.flow.steering import sql as sql
    from nbflow.flow.steering import tasks as tasks
    from nbflow.flow.steering import undo as undo
    from nbflow.flow.waiting import as_completed as as_completed
    from nbflow.flow.waiting import gather as gather
    from nbflow.flow.waiting import wait as wait
    from nbflow.live import progress as progress
    from nbflow.live import report as report
    from nbflow.live import views as views
    from nbflow.live import watch as watch
    from nbflow.wire.canonical import memo_key as memo_key

_HOMES = {
    "AUTO": "apps.files",
    "App": "apps.decorators",
    "AppFunction": "apps.app",
    "AppFuture": "flow.future",
    "Config": "config.model",
    "DataFuture": "flow.future",
    "Decision": "core.retry",
    "Executor": "apps.executor",
    "File": "data.file",
    "Futures": "config.model",
    "Pilots": "config.model",
    "Processes": "config.model",
    "RetryPolicy": "core.retry",
    "Threads": "config.model",
    "as_completed": "flow.waiting",
    "attr": "flow.steering",
    "bash_app": "apps.decorators",
    "cancel": "flow.steering",
    "capsule": "flow.steering",
    "clear": "flow.current",
    "events": "flow.steering",
    "export_results": "flow.sharing",
    "failures": "flow.failures",
    "forget": "flow.steering",
    "gather": "flow.waiting",
    "import_results": "flow.sharing",
    "job_script": "config.sites",
    "join_app": "apps.decorators",
    "load": "flow.load",
    "memo_key": "wire.canonical",
    "nodes": "flow.nodes",
    "plan": "flow.planning",
    "progress": "live",
    "python_app": "apps.decorators",
    "pause": "flow.steering",
    "release": "flow.steering",
    "resume": "flow.steering",
    "undo": "flow.steering",
    "report": "live",
    "retry": "flow.steering",
    "scale": "flow.nodes",
    "sessions": "config.sessions",
    "skip": "flow.steering",
    "sql": "flow.steering",
    "start_session": "config.sessions",
    "tasks": "flow.steering",
    "views": "live",
    "wait": "flow.waiting",
    "watch": "live",
}

__all__ = [*sorted(_HOMES), "__version__", "errors"]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("nbflow.errors")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'nbflow' has no attribute {name!r}")
    value = getattr(import_module(f"nbflow.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """Let `%load_ext nbflow` add the magics."""
    import_module("nbflow.magics").register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics away again."""
    import_module("nbflow.magics").unregister(ipython)
