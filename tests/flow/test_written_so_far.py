"""What a call has written can be read while it runs."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

import nbflow as nf
from nbflow.journal.places import runs_dir

PATIENCE = 20.0


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def clear():
    yield
    nf.clear()


@pytest.mark.parametrize("kind", ["python", "bash"])
def test_a_call_is_heard_while_it_runs(tmp_path: Path, kind: str) -> None:
    nf.load("processes", workers=1)
    go = tmp_path / "go"

    @nf.python_app
    def speak(go: str) -> None:
        import sys
        import time
        from pathlib import Path

        print("first")
        while not Path(go).exists():
            time.sleep(0.01)
        print("last")
        print("the end", file=sys.stderr)

    @nf.bash_app
    def say(go: str) -> str:
        return f"echo first; while [ ! -e {go} ]; do sleep 0.01; done; echo last; echo the end >&2"

    future = speak(str(go)) if kind == "python" else say(str(go))
    eventually(lambda: future.task.logs() == "first\n")
    assert future.running()
    go.touch()
    future.result(PATIENCE)
    assert future.task.logs() == "first\nlast\nthe end\n"
    assert len(nf.sql("SELECT * FROM outputs")) == 2, "the last word on a stream is the only one"


def test_a_flood_is_heard_from_its_end_and_stops_nobody(tmp_path: Path) -> None:
    nf.load("processes", workers=1)

    @nf.python_app
    def flood(go: str) -> int:
        import subprocess
        from pathlib import Path

        with subprocess.Popen(["yes", "no"]) as child:
            lines = 0
            while not Path(go).exists():
                print("line", lines := lines + 1)
            child.kill()
        return lines

    future = flood(str(tmp_path / "go"))
    eventually(lambda: "no" in future.task.logs())
    assert len(future.task.logs()) <= 4096
    (tmp_path / "go").touch()
    assert future.result(PATIENCE) > 0


def test_what_a_lost_worker_wrote_last_is_known() -> None:
    nf.load("processes", workers=1)

    @nf.python_app
    def die() -> None:
        import os
        import time

        print("about to die")
        time.sleep(1.5)
        os._exit(3)

    future = die()
    assert isinstance(future.exception(PATIENCE), nf.errors.WorkerLost)
    assert future.task.logs() == "about to die\n"


def test_secrets_of_a_call_that_runs_are_not_told(tmp_path: Path) -> None:
    nf.load("processes", workers=1)
    canaries = ("argument-canary", "local-canary")

    @nf.python_app
    def speak(go: str, token: str) -> None:
        import time
        from pathlib import Path

        password = "-".join(("local", "canary"))
        print("with", token, password)
        while not Path(go).exists():
            time.sleep(0.01)

    future = speak(str(tmp_path / "go"), canaries[0])
    eventually(lambda: future.task.logs() == "with <withheld> <withheld>\n")
    kept = [path.read_bytes() for path in runs_dir().rglob("*") if path.is_file()]
    (tmp_path / "go").touch()
    future.result(PATIENCE)
    assert not [canary for canary in canaries if any(canary.encode() in data for data in kept)]
