"""Run a Python script with a dataflow kernel loaded, and show its progress in the terminal.

Tasks that the script does not wait for are waited for at its end; when it fails, they are cancelled. The exit
code is the script's, and 1 when the script ended well but tasks failed. With --plan no task is run: it says
which calls would run anew and which be reused, as far as the script gets without the results of the former.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from nbflow.cli.output import by_state, counted, exit_code
from nbflow.errors import ConfigError, NotPlannable
from nbflow.flow.current import clear, current, is_loaded
from nbflow.flow.load import load
from nbflow.flow.planning import plan
from nbflow.journal.reader import open_run
from nbflow.live.terminal import progress

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--workers", type=int, help="how many worker processes (default: one for each core)")
    parser.add_argument(
        "--plan", action="store_true", help="say what would be run anew and what be reused, and run no task"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="write what the run came to as JSON, in one line after the script's own",
    )
    parser.add_argument("script", type=Path, help="the script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script finds in sys.argv")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    script: Path = arguments.script
    if not script.is_file():
        raise ConfigError(f"there is no script {script}")
    sys.argv = [str(script), *arguments.arguments]
    sys.path.insert(0, str(script.absolute().parent))
    if arguments.plan:
        return _plan(script, is_json=arguments.json)
    load(workers=arguments.workers)
    journal = current().journal
    try:
        with progress(journal.address):
            code = _run_script(script)
            if is_loaded():  # perhaps anew, by the script itself
                journal = current().journal
                if code == 0:
                    current().wait()
            journal.flush()
        with open_run(journal.address) as reader:
            counts = reader.counts()
    finally:
        clear()
    if arguments.json:
        print(json.dumps({"run": journal.run, "path": str(journal.address), "tasks": by_state(counts)}))
    print(f"nbflow: {counted(counts)}; `nbflow show {journal.run}` tells more", file=sys.stderr)
    return code or exit_code(counts)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    former = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former


def _plan(script: Path, *, is_json: bool) -> int:
    code = 0

    def follow() -> None:
        nonlocal code
        code = _run_script(script)

    # It leaves no run behind that somebody could take for one.
    with tempfile.TemporaryDirectory() as directory, _environment("NBFLOW_STATE_DIR", directory):
        load("threads", workers=1)
        try:
            found = plan(follow)
        finally:
            clear()
    print(json.dumps(found.to_values()) if is_json else found)
    return code


def _run_script(script: Path) -> int:
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stop:
        return _code_of(stop)
    except NotPlannable:
        raise
    except Exception:  # noqa: BLE001 - a script may raise anything, and it becomes the exit code
        # As the interpreter does: the traceback, without the frames of whoever runs the script.
        kind, error, trace = sys.exc_info()
        while trace is not None and trace.tb_frame.f_code.co_filename != str(script):
            trace = trace.tb_next
        traceback.print_exception(kind, error, trace)
        return 1
    return 0


def _code_of(stop: SystemExit) -> int:
    match stop.code:
        case None:
            return 0
        case int(code):
            return code
        case message:
            print(message, file=sys.stderr)
            return 1
