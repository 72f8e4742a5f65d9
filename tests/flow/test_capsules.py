"""A failed task leaves a record: to debug it, to run it again, to make a test of it, also much later."""

import base64
import io
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import nbflow as nf
from nbflow.cli import main
from nbflow.errors import NoCapsule
from nbflow.flow.current import current
from nbflow.journal.places import runs_dir
from nbflow.memo.places import cache_dir
from nbflow.postmortem.store import MOST_NBYTES, record_path


@pytest.fixture(params=["threads", "processes"])
def loaded(request: pytest.FixtureRequest) -> Iterator[None]:
    nf.load(request.param, workers=1)
    yield
    nf.clear()


def cell(source: str, name: str) -> Any:
    """Make an app as a notebook's cell does: it travels by value."""
    source = textwrap.dedent(source)
    file = f"<cell of {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, file, "exec"), namespace)
    return nf.python_app(namespace[name])


scale = cell(
    """
    def scale(values, factor):
        total = sum(values)
        return [divide(value, factor * total) for value in values]

    def divide(value, by):
        return value / by
    """,
    "scale",
)


def debugger_says(monkeypatch: pytest.MonkeyPatch, capsys: Any, act: Any, *commands: str) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*commands, "q", ""])))
    act()
    return str(capsys.readouterr().out)


@pytest.mark.usefixtures("loaded")
def test_a_debugger_opens_at_the_failure_with_the_real_objects(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = scale([1, 2], 0)
    nf.wait([failed])
    assert failed.task.capsule().arguments == {"values": [1, 2], "factor": 0}
    said = debugger_says(monkeypatch, capsys, failed.task.debug, "p by", "up", "p total + 1")
    assert "(Pdb) 0" in said
    assert "4" in said.splitlines()[-2:][0]


@pytest.mark.usefixtures("loaded")
def test_it_is_run_again_here_and_made_a_test_of_when_the_run_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = scale([1, 2], 0)
    nf.wait([failed])
    run, task = current().run_id, failed.task.id
    nf.clear()
    capsule = nf.capsule(run, task)
    assert capsule.replay(factor=1) == [1 / 3, 2 / 3]
    said = debugger_says(monkeypatch, capsys, capsule.replay, "p by")
    assert "(Pdb) 0" in said
    target = capsule.as_test(tmp_path / "test_scale.py")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", target],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 1, ran.stdout
    assert "ZeroDivisionError" in ran.stdout
    assert record_path(runs_dir() / run, task).stat().st_mode & 0o777 == 0o600


def test_the_command_line_shows_and_debugs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nf.load("threads", workers=1)
    failed = scale([1, 2], 0)
    nf.wait([failed])
    nf.clear()
    assert main(["debug", "last", "1", "--show"]) == 0
    assert "total = 3" in capsys.readouterr().out
    assert "(Pdb) 3" in debugger_says(
        monkeypatch, capsys, lambda: main(["debug", "last", "1"]), "up", "up", "p total"
    )
    assert main(["debug", "last", "1", "--test", str(tmp_path / "test_it.py")]) == 0
    assert "def test_scale_1" in (tmp_path / "test_it.py").read_text()
    assert main(["debug", "last", "99"]) == 2
    assert main(["failures", "last", "--json"]) == 1
    assert '"reason": "user error"' in capsys.readouterr().out
    assert main(["gc", "--older-than", "0m"]) == 0
    with pytest.raises(NoCapsule):
        nf.capsule("last", 1)


def test_what_anybody_else_wrote_is_text_only() -> None:
    nf.load("threads", workers=1)
    failed = scale([1, 2], 0)
    nf.wait([failed])
    path = failed.task.capsule().path
    data = path.read_bytes()
    assert len(data) <= MOST_NBYTES
    path.write_bytes(data.replace(b'"task":1', b'"task":2'))
    forged = failed.task.capsule()
    assert "scale failed" in repr(forged)
    with pytest.raises(NoCapsule, match="another user, or changed"):
        forged.function()
    nf.clear()


def test_a_task_that_waited_points_to_the_one_that_failed() -> None:
    nf.load("threads", workers=1)
    failed = scale([1, 2], 0)
    after = scale(failed, 1)
    nf.wait([after])
    with pytest.raises(NoCapsule, match="because task 1 failed"):
        after.task.debug()
    nf.clear()


SECRET = "s3cr3t-canary/never+written"
FORMS = [
    SECRET.encode(),
    base64.b64encode(SECRET.encode())[:-4],
    quote(SECRET, safe="").encode(),
    SECRET.encode().hex().encode(),
]


fetch = cell(
    """
    def fetch(url, api_key, headers):
        import os

        password = os.environ["CANARY_TOKEN"]
        copy = dict(headers)
        print("connecting with", password, url)
        raise ConnectionError(f"{url} refused {api_key} {copy}")
    """,
    "fetch",
)


def test_A8_a_planted_secret_is_nowhere_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", SECRET)
    for executor in ("threads", "processes"):
        nf.load(executor, workers=1)
        bearer = {"Authorization": f"Bearer {SECRET}", "password": SECRET}
        failed = fetch.options(cache=True)(f"https://me:{quote(SECRET, safe='')}@host/", SECRET, bearer)
        named = fetch("https://host/", api_key=SECRET, headers=bearer)
        nf.wait([failed, named])
        assert type(failed.exception()) is type(named.exception()) is ConnectionError
        assert failed.task.capsule().evidence.frames[-1].function == "fetch"
        failed.task.as_test(tmp_path / "test_fetch.py")
        assert failed.task.capsule().arguments["api_key"].__repr__() == "<withheld>"
        nf.failures()
        nf.clear()
    for directory in (runs_dir(), cache_dir(), tmp_path, Path.cwd()):
        files = [path for path in directory.rglob("*") if path.is_file()]
        leaks = {(path, form) for path in files for form in FORMS if form in path.read_bytes()}
        leaks = {(path, form) for path, form in leaks if path.suffix not in (".py", ".pyc")}
        assert not leaks
    assert list(runs_dir().rglob("*.capsule"))
