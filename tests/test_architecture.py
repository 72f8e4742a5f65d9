"""Hold the tree to its own map: layers, the frozen public names, and what an import may cost."""

import subprocess
import sys
from pathlib import Path

import nbflow

ROOT = Path(__file__).parent.parent

PUBLIC = [
    "AUTO",
    "App",
    "AppFunction",
    "AppFuture",
    "Config",
    "DataFuture",
    "Decision",
    "Executor",
    "File",
    "Futures",
    "Pilots",
    "Processes",
    "RetryPolicy",
    "Threads",
    "__version__",
    "as_completed",
    "attr",
    "bash_app",
    "cancel",
    "capsule",
    "clear",
    "errors",
    "events",
    "export_results",
    "failures",
    "forget",
    "gather",
    "import_results",
    "job_script",
    "join_app",
    "load",
    "memo_key",
    "nodes",
    "pause",
    "plan",
    "progress",
    "python_app",
    "release",
    "report",
    "resume",
    "retry",
    "scale",
    "sessions",
    "skip",
    "sql",
    "start_session",
    "tasks",
    "undo",
    "views",
    "wait",
    "watch",
]

HEAVY = [
    "IPython",
    "anywidget",
    "asyncssh",
    "bokeh",
    "dill",
    "globus_sdk",
    "ipyparallel",
    "ipywidgets",
    "jupyter_server",
    "rich",
    "zmq",
]


def test_layers_hold() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_public_names_are_frozen() -> None:
    assert sorted(nbflow.__all__) == PUBLIC, "a new public name needs a page in docs/ and a changelog line"


def test_every_public_name_exists() -> None:
    assert [name for name in nbflow.__all__ if getattr(nbflow, name, None) is None] == []


def test_import_leaves_heavy_packages_alone() -> None:
    program = f"import nbflow, sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == []


def test_no_module_is_a_drawer_for_anything() -> None:
    drawers = {"common", "helpers", "misc", "util", "utils"}
    assert [path for path in (ROOT / "nbflow").rglob("*.py") if path.stem in drawers] == []


def test_no_file_outgrows_a_reader() -> None:
    """About 400 lines is where a file should have become two."""
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / "nbflow").rglob("*.py")}
    assert {path.name: length for path, length in lengths.items() if length > 400} == {}
