"""Secrets flow through a run on pilots, and are in no file and on no command line afterwards."""

import base64
import linecache
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

import nbflow as nf
from nbflow.cli import main
from nbflow.journal.places import runs_dir
from nbflow.memo.places import cache_dir
from nbflow.sites.model import Site

from .pilots import processes
from .test_pilots import here

__all__ = ["here"]

pytest.importorskip("ipyparallel")

PLACES = ("local", "argument", "environment", "header", "url", "attribute", "key", "literal")
CANARIES = {place: f"canary/{number}+of={place}" for number, place in enumerate(PLACES)}
PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARIES['key']}\n-----END PRIVATE KEY-----"
SOURCE = f"""
class Client:
    def __init__(self, token):
        self.token = token

def fetch(url, client, headers, api_key, is_broken):
    import os

    password = "".join(reversed({CANARIES["local"][::-1]!r}))
    access_key = {CANARIES["literal"]!r}
    print("asks", url, "with", api_key, client.token, os.environ["CANARY_TOKEN"], headers)
    if is_broken:
        print("broken:", password, access_key)
        raise ConnectionError(f"{{url}} refused {{headers}} {{client.token}} {{password}}")
    return len(url)
"""


def forms(canary: str) -> list[bytes]:
    """Return how a canary may be written."""
    return [
        canary.encode(),
        base64.b64encode(canary.encode())[:-4],
        quote(canary, safe="").encode(),
        canary.encode().hex().encode(),
    ]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give what a notebook's cell defines."""
    file, source = "<cell of secrets>", textwrap.dedent(SOURCE)
    monkeypatch.setitem(linecache.cache, file, (len(source), None, source.splitlines(keepends=True), file))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, file, "exec"), namespace)
    return namespace


def leaks(*folders: Path) -> Iterator[tuple[Path, str]]:
    for path in {path for folder in folders for path in folder.rglob("*") if path.is_file()}:
        data = path.read_bytes()
        yield from ((path, place) for place, one in CANARIES.items() if any(f in data for f in forms(one)))


def test_A8_canaries_flow_through_pilots_and_are_nowhere(
    here: Site, cell: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", CANARIES["environment"])
    nf.load(nf.Pilots(here, workers_per_node=1), retries=1)
    fetch = nf.python_app(cache=True)(cell["fetch"])

    def ask(*, is_broken: bool) -> nf.AppFuture[int]:
        return fetch(
            f"https://me:{quote(CANARIES['url'], safe='')}@host/{is_broken}",
            cell["Client"](CANARIES["attribute"]),
            {"Authorization": f"Bearer {CANARIES['header']}", "note": PEM},
            api_key=CANARIES["argument"],
            is_broken=is_broken,
        )

    well, broken = ask(is_broken=False), ask(is_broken=True)
    assert well.result(60) > 0
    assert type(broken.exception(60)) is ConnectionError
    assert "asks" in well.task.logs()
    made = tmp_path / "made"
    made.mkdir()
    broken.task.as_test(made / "test_fetch.py")
    nf.report(made / "run.html")
    (made / "shown.txt").write_text(
        f"{broken.task!r}{broken.task._repr_html_()}{nf.failures()!r}{broken.task.why()}{broken.task.logs()}"
    )
    lines = [" ".join(process.cmdline()) for process in [psutil.Process(), *processes(tmp_path)]]
    assert not [place for place, one in CANARIES.items() if any(one in line for line in lines)]
    assert not list(leaks(tmp_path, runs_dir(), cache_dir())), "while it runs"
    nf.clear()
    assert main(["export", "last", str(made / "run.nbflow")]) == 0
    assert list(runs_dir().rglob("*.capsule"))
    assert not list(leaks(tmp_path, runs_dir(), cache_dir())), "afterwards"
