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
    from nbflow.flow.former.sharing import export_results as export_results
    from nbflow.flow.former.sharing import import_results as import_results
    from nbflow.flow.futures.future import AppFuture as AppFuture
    from nbflow.flow.futures.future import DataFuture as DataFuture
    from nbflow.flow.futures.waiting import as_completed as as_completed
    from nbflow.flow.futures.waiting import gather as gather
    from nbflow.flow.futures.waiting import wait as wait
    from nbflow.flow.load import load as load
    from nbflow.flow.planning import plan as plan
    from nbflow.flow.steering.failures import failures as failures
    from nbflow.flow.steering.nodes import nodes as nodes
    from nbflow.flow.steering.nodes import scale as scale
    from nbflow.flow.steering.words import attr as attr
    from nbflow.flow.steering.words import cancel as cancel
    from nbflow.flow.steering.words import capsule as capsule
    from nbflow.flow.steering.words import events as events
    from nbflow.flow.steering.words import forget as forget
    from nbflow.flow.steering.words import pause as pause
    from nbflow.flow.steering.words import release as release
    from nbflow.flow.steering.words import resume as resume
    from nbflow.flow.steering.words import retry as retry
    from nbflow.flow.steering.words import skip as skip
    from nbflow.flow.steering.words import sql as sql
    from nbflow.flow.steering.words import tasks as tasks
    from nbflow.flow.steering.words import undo as undo
    from nbflow.live import progress as progress
    from nbflow.live import report as report
    from nbflow.live import views as views
    from nbflow.live import watch as watch
    from nbflow.wire.canonical import memo_key as memo_key

_HOMES = {
    "AUTO": "apps.files",
    "App": "apps.decorators",
    "AppFunction": "apps.app",
    "AppFuture": "flow.futures.future",
    "Config": "config.model",
    "DataFuture": "flow.futures.future",
    "Decision": "core.retry",
    "Executor": "apps.executor",
    "File": "data.file",
    "Futures": "config.model",
    "Pilots": "config.model",
    "Processes": "config.model",
    "RetryPolicy": "core.retry",
    "Threads": "config.model",
    "as_completed": "flow.futures.waiting",
    "attr": "flow.steering.words",
    "bash_app": "apps.decorators",
    "cancel": "flow.steering.words",
    "capsule": "flow.steering.words",
    "clear": "flow.current",
    "events": "flow.steering.words",
    "export_results": "flow.former.sharing",
    "failures": "flow.steering.failures",
    "forget": "flow.steering.words",
    "gather": "flow.futures.waiting",
    "import_results": "flow.former.sharing",
    "job_script": "config.sites",
    "join_app": "apps.decorators",
    "load": "flow.load",
    "memo_key": "wire.canonical",
    "nodes": "flow.steering.nodes",
    "plan": "flow.planning",
    "progress": "live",
    "python_app": "apps.decorators",
    "pause": "flow.steering.words",
    "release": "flow.steering.words",
    "resume": "flow.steering.words",
    "undo": "flow.steering.words",
    "report": "live",
    "retry": "flow.steering.words",
    "scale": "flow.steering.nodes",
    "sessions": "config.sessions",
    "skip": "flow.steering.words",
    "sql": "flow.steering.words",
    "start_session": "config.sessions",
    "tasks": "flow.steering.words",
    "views": "live",
    "wait": "flow.futures.waiting",
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
