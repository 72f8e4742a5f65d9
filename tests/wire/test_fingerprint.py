import ast
import functools
import importlib
import linecache
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from nbflow.errors import NotMemoizable
from nbflow.wire import functions
from nbflow.wire.bytecode import references_of
from nbflow.wire.fingerprint import Fingerprint, Fingerprinter
from tests.wire.edits import BASE, EDITS, run_cell

_number = count(1).__next__


def fingerprint(source: str, name: str = "app") -> Fingerprint:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run_cell(source, namespace)
    return Fingerprinter(namespace[name]).snapshot()


@pytest.mark.parametrize(("before", "after", "is_hit"), EDITS.values(), ids=EDITS)
def test_edits(before: str, after: str, is_hit: bool) -> None:
    assert before in BASE
    edited = BASE.replace(before, after) if before else BASE
    assert (fingerprint(BASE).digest == fingerprint(edited).digest) is is_hit


def test_a_miss_names_what_changed() -> None:
    before, after = fingerprint(BASE), fingerprint(BASE.replace("SCALE = 3", "SCALE = 4"))
    changed = [(old, new) for old, new in zip(before.parts, after.parts, strict=True) if old != new]
    named = [(old.name, old.text, new.text) for old, new in changed if old.text != new.text]
    assert named == [("SCALE", "3", "4")]


def test_nothing_depends_on_the_process() -> None:
    def digest(seed: str) -> str:
        script = (
            "import sys; sys.path[:0] = sys.argv[1:]\n"
            "from tests.wire.edits import BASE\n"
            "from tests.wire.test_fingerprint import fingerprint\n"
            "print(fingerprint(BASE + 'NAMES[\"set\"] = {str(n) for n in range(50)}').digest.hex())"
        )
        root = str(Path(__file__).parents[2])
        return subprocess.run(
            [sys.executable, "-c", script, root],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert digest("1") == digest("2") != ""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Write a module of the project, import it or load it again, and return it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "memo_project.py"

    def write(source: str, *, reload: bool = True) -> Any:
        file.write_text(source)
        importlib.invalidate_caches()
        module = sys.modules.get("memo_project")
        if module is None:
            return importlib.import_module("memo_project")
        return importlib.reload(module) if reload else module

    yield write
    sys.modules.pop("memo_project", None)


def test_a_project_module_counts_when_it_is_loaded_again(project: Callable[..., Any]) -> None:
    source = "import memo_project\ndef app(x):\n    return memo_project.f(x)"
    module = project("def f(x):\n    return x + 1\n\ndef g(x):\n    return x\n")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run_cell(source, namespace)
    follower = Fingerprinter(namespace["app"])
    first = follower.snapshot().digest

    # Edited, not loaded again: what runs is still the old code.
    project("def f(x):\n    return x + 2222\n\ndef g(x):\n    return x\n", reload=False)
    assert follower.snapshot().digest == first
    assert fingerprint(source).digest == first

    project("def f(x):\n    return x + 2222\n\ndef g(x):\n    return x\n")
    second = follower.snapshot().digest
    assert second != first

    project("# A comment.\ndef f(x):\n    return x + 2222\n\ndef g(x):\n    return x - 1\n")
    assert follower.snapshot().digest == second, "only what is used of a module counts"
    project("def f(x):\n    return x + 1\n\ndef g(x):\n    return x\n")
    assert follower.snapshot().digest == first
    assert module is sys.modules["memo_project"]


def test_source_that_was_edited_and_not_loaded_is_not_believed(project: Callable[..., Any]) -> None:
    module = project("def f(x):\n    return x + 3\n")
    project("def f(x):\n    return x + 4\n", reload=False)
    stale = Fingerprinter(module.f).snapshot().digest
    fresh = Fingerprinter(project("def f(x):\n    return x + 4\n").f).snapshot().digest
    assert stale != fresh


def test_a_cell_with_magics_is_read_as_one_without() -> None:
    plain = "def app(x):\n    return x + 1\n"
    magic = f"%time 1\n!ls\n# A comment.\n{plain}"
    name = f"<cell {_number()}>"
    linecache.cache[name] = (len(magic), None, magic.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("\n\n\n" + plain, name, "exec"), namespace)
    told = Fingerprinter(namespace["app"]).snapshot()
    assert told.digest == fingerprint(plain).digest
    assert told.parts[0].text == plain


def test_a_cell_is_read_though_ipython_compiles_each_statement_by_itself() -> None:
    source = (
        "import math\n\ndef make(a):\n    def app(x):\n        return math.sin(x) + a\n    return app\n\n"
        "app = make(1)\n"
    )
    name = f"<cell {_number()}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for statement in ast.parse(source).body:
        exec(compile(ast.Module([statement], []), name, "exec"), namespace)
    told = Fingerprinter(namespace["app"]).snapshot()
    assert told.parts[0].text == "    def app(x):\n        return math.sin(x) + a\n"


def test_source_of_another_code_is_not_believed_under_a_name_that_was_used_twice() -> None:
    digests = set()
    for number in (11, 22):
        text = f"def app(x):\n    return x + {number}\n"
        linecache.cache["<twice>"] = (9, None, ["def app(x):\n", "    return x\n"], "<twice>")
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, "<twice>", "exec"), namespace)
        digests.add(Fingerprinter(namespace["app"]).snapshot().digest)
    assert len(digests) == 2


def test_changes_in_place_are_seen() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run_cell("table = {'a': [1]}\ndef h(x, seen=[]): return x\ndef app(x): return h(table[x])", namespace)
    follower = Fingerprinter(namespace["app"])
    first = follower.snapshot()
    assert follower.snapshot() is first
    namespace["table"]["a"].append(2)
    second = follower.snapshot()
    assert second.digest != first.digest
    namespace["h"].__defaults__[0].append(1)
    assert follower.snapshot().digest != second.digest


def test_a_large_array_is_looked_at_again_after_a_cell() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run_cell("import numpy as np\nlarge = np.zeros(100_000)\ndef app(x): return large[x]", namespace)
    follower = Fingerprinter(namespace["app"])
    first = follower.snapshot().digest
    namespace["large"][7] = 1
    functions.refresh()
    assert follower.snapshot().digest != first


def test_what_cannot_be_told_apart_is_refused_by_its_path() -> None:
    with pytest.raises(NotMemoizable, match=r"app -> LOCK.*has no canonical form.*memo_key"):
        fingerprint("import threading\nLOCK = threading.Lock()\ndef app(x): return LOCK")


def test_versions_of_installed_packages_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbflow.wire import installed

    source = "import numpy as np\ndef app(x): return np.sin(x)"
    exact = fingerprint(source).digest
    monkeypatch.setattr(installed, "_version", lambda top, module: "99.1.2")
    newer = fingerprint(source).digest
    assert newer != exact
    monkeypatch.setenv("NBFLOW_CACHE_VERSIONS", "major")
    major = fingerprint(source).digest
    monkeypatch.setattr(installed, "_version", lambda top, module: "99.3")
    assert fingerprint(source).digest == major


def test_references_are_those_that_dis_finds() -> None:
    import dis

    for fn in (functools.wraps, subprocess.Popen.__init__, textwrap.wrap, importlib.reload):
        names = {one[0] for one in references_of(fn.__code__)}
        told = {one.argval for one in dis.get_instructions(fn.__code__) if one.opname == "LOAD_GLOBAL"}
        assert told <= names
