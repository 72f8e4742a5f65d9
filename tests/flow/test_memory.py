import linecache
import sys
import textwrap
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import AppTypeError, ConfigError
from nbflow.flow.current import current

_number = count(1).__next__


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBFLOW_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def kernel(fresh_cache: None) -> Any:
    nf.load("threads", workers=4)
    yield current()
    nf.clear()


def define(source: str, name: str = "app", **more: Any) -> Any:
    """Define an app as a notebook's cell does."""
    text = textwrap.dedent(source)
    file = f"<cell of test_memory {_number()}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"nf": nf, "__name__": "__main__", **more}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


MARK = """
from pathlib import Path
def mark(where):
    number = 0
    while True:
        try:
            return (Path(where) / str(number)).open("x").close()
        except FileExistsError:
            number += 1
"""


def runs(where: Path) -> int:
    return len(list(where.iterdir()))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    where = tmp_path / "marks"
    where.mkdir()
    return where


SQUARE = (
    MARK + "FACTOR = 1\n@nf.python_app(cache=True)\ndef app(n, where):\n"
    "    mark(where)\n    return [n * n * FACTOR]\n"
)


def test_an_equal_call_is_not_run_again_also_by_the_next_kernel(kernel: Any, marks: Path) -> None:
    app = define(SQUARE)
    first, where = app(3, str(marks)), str(marks)
    assert first.result(10) == [9]
    assert first.task.why() == "miss: no call of app was remembered before"
    second = app(where=where, n=3)
    assert second.result(10) == [9]
    assert second.task.why().startswith("hit: ")
    assert second.result() is not first.result()
    assert [(one.slot, one.end) for one in second.task.attempts] == [(None, "MemoHit")]
    nf.clear()
    nf.load("threads", workers=3)
    assert define(SQUARE)(3, where).result(10) == [9]
    assert runs(marks) == 1


def test_a_miss_says_what_changed(kernel: Any, marks: Path) -> None:
    where = str(marks)
    define(SQUARE)(3, where).result(10)
    other = define(SQUARE)(4, where)
    assert other.result(10) == [16]
    assert other.task.why().splitlines()[1:] == ["argument n: 3 -> 4"]
    changed = define(SQUARE.replace("FACTOR = 1", "FACTOR = 2"))(3, where)
    assert changed.result(10) == [18]
    assert changed.task.why().splitlines()[1:] == ["code: FACTOR: 1 -> 2"]
    edited = define(SQUARE.replace("return [n * n * FACTOR]", "return [n * n + FACTOR]"))(3, where)
    assert edited.result(10) == [10]
    assert "    -    return [n * n * FACTOR]\n    +    return [n * n + FACTOR]" in edited.task.why()
    assert runs(marks) == 4


def test_equal_calls_under_way_become_one(kernel: Any, marks: Path) -> None:
    gate = threading.Event()
    source = MARK + (
        "def app(n, gate, where):\n    mark(where)\n    assert gate.wait(10)\n    return [n]\n"
        "app = nf.python_app(cache=True, ignore=('gate', 'where'))(app)\n"
    )
    app = define(source)
    futures = [app(1, gate, str(marks)) for _ in range(10)]
    futures += app.map([1] * 10, [gate] * 10, [str(marks)] * 10)
    gate.set()
    results = nf.gather(futures)
    assert results == [[1]] * 20
    assert len({id(result) for result in results}) == 20
    assert runs(marks) == 1


def test_failures_are_not_remembered_and_followers_go_on(kernel: Any, marks: Path) -> None:
    source = MARK + (
        "@nf.python_app(cache=True, ignore=['gate'])\n"
        "def app(where, gate):\n    mark(where)\n    assert gate.wait(10)\n"
        "    if len(list(Path(where).iterdir())) < 3:\n        raise OSError('flaky')\n    return 'good'\n"
    )
    app, gate = define(source), threading.Event()
    futures = [app(str(marks), gate) for _ in range(4)]
    gate.set()
    outcomes = [future.exception(10) for future in futures]
    assert [type(error) for error in outcomes] == [OSError, OSError, type(None), type(None)]
    assert "gave no result" in futures[1].task.why()
    futures[0].task.retry()
    assert futures[0].result(10) == "good"
    assert runs(marks) == 3


def test_a_leader_that_is_cancelled_lets_the_next_run(kernel: Any, marks: Path) -> None:
    source = MARK + (
        "@nf.python_app(cache=True, ignore=['gate'])\n"
        "def app(where, gate):\n    mark(where)\n    assert gate.wait(10)\n    return 1\n"
    )
    app, gate = define(source), threading.Event()
    leader, second, third = (app(str(marks), gate) for _ in range(3))
    while not runs(marks):
        threading.Event().wait(0.001)
    assert second.cancel()
    assert leader.cancel()
    gate.set()
    assert third.result(10) == 1


def test_an_argument_that_changed_meanwhile_is_not_remembered(kernel: Any) -> None:
    source = "@nf.python_app(cache=True)\ndef app(values):\n    values.append(1)\n    return list(values)\n"
    first = define(source)([1, 2])
    assert first.result(10) == [1, 2, 1]
    assert "an argument was changed" in first.task.why()


def test_bytes_that_changed_meanwhile_are_not_remembered(kernel: Any) -> None:
    source = "@nf.python_app(cache=True)\ndef app(values):\n    values[0] += 1\n    return values[0]\n"
    values = bytearray(2)
    first = define(source)(values)
    assert first.result(10) == 1
    assert "an argument was changed" in first.task.why()


def test_a_failure_says_that_it_is_not_remembered(kernel: Any) -> None:
    failed = define("@nf.python_app(cache=True)\ndef app(n):\n    return 1 / n\n")(0)
    nf.wait([failed])
    assert failed.task.why() == "miss: failures are not remembered"


def test_what_was_forgotten_says_so(kernel: Any) -> None:
    app = define("@nf.python_app(cache=True)\ndef app(n):\n    return n\n")
    future = app(1)
    future.result(10)
    nf.forget(app)
    assert future.task.why() == "miss: its result was forgotten"


def test_an_answer_shows_as_it_reads_and_changes_in_colour(kernel: Any) -> None:
    define("@nf.python_app(cache=True)\ndef app(n):\n    return n < 1\n")(1).result(10)
    future = define("@nf.python_app(cache=True)\ndef app(n):\n    return n < 2\n")(1)
    future.result(10)
    why = future.task.why()
    assert repr(why) == str(why)
    shown = why._repr_html_()
    assert shown.startswith("<pre>miss: compared with")
    assert ">    -    return n &lt; 1</span>" in shown
    assert ">    +    return n &lt; 2</span>" in shown


def test_code_that_changed_meanwhile_is_not_remembered(kernel: Any) -> None:
    source = "SEEN = []\n@nf.python_app(cache=True)\ndef app(n):\n    SEEN.append(n)\n    return SEEN[:]\n"
    app = define(source)
    first = app(1)
    assert first.result(10) == [1]
    assert "the code, or something that it uses, was changed" in first.task.why()
    assert app(1).result(10) == [1, 1]


def test_what_has_no_canonical_form_runs_and_says_so(kernel: Any) -> None:
    app = define("@nf.python_app(cache=True)\ndef app(lock):\n    return 1\n")
    future = app({"a": threading.Lock()})
    assert future.result(10) == 1
    assert future.task.why().startswith("not remembered: lock['a']: a _thread.lock has no canonical form")
    future = define("@nf.python_app(cache=True)\ndef app():\n    return lambda: 1\n")()
    assert future.result(10)() == 1
    assert "its result cannot be kept" in future.task.why()


class NotPickled:
    def __reduce__(self) -> Any:
        sys.exit(3)


class NotRead:
    def __init__(self) -> None:
        self.value = 1

    def __setstate__(self, state: Any) -> None:
        sys.exit(3)


@pytest.mark.parametrize("kind", [NotPickled, NotRead])
def test_results_whose_own_code_ends_threads_leave_nobody_waiting(kernel: Any, kind: type) -> None:
    source = (
        "@nf.python_app(cache=True, ignore=['gate', 'kind'])\n"
        "def app(gate, kind):\n    assert gate.wait(10)\n    return kind()\n"
    )
    gate = threading.Event()
    app = define(source)
    futures = [app(gate, kind) for _ in range(3)]
    gate.set()
    assert [type(future.result(10)) for future in futures] == [kind] * 3
    plain = define("@nf.python_app(cache=True)\ndef app(n):\n    return n\n")
    assert plain(1).result(10) == plain(1).result(10) == 1


def test_forgotten_results_are_computed_again(kernel: Any, marks: Path) -> None:
    app, where = define(SQUARE), str(marks)
    nf.gather([app(1, where), app(2, where)])
    assert nf.forget(app) == 2
    assert nf.forget("app") == 0
    assert app(1, where).result(10) == [1]
    assert runs(marks) == 3
    with pytest.raises(AppTypeError, match="give an app"):
        nf.forget(3)


def test_options_of_the_app_the_call_and_the_load(kernel: Any, marks: Path) -> None:
    plain = define(SQUARE.replace("(cache=True)", ""))
    where = str(marks)
    first = plain(1, where)
    first.result(10)
    assert "no other executor could take it" in first.task.why()
    nf.gather([plain(1, where), plain(1, where)])
    assert runs(marks) == 3
    nf.gather([plain.options(cache=True)(1, where), plain.options(cache=True)(1, where)])
    assert runs(marks) == 4
    nf.clear()
    nf.load("threads", workers=2, cache=True)
    nf.gather([plain(1, where), plain(1, where)])
    assert runs(marks) == 4
    assert plain.options(cache=False)(1, where).result(10) == [1]
    assert runs(marks) == 5


def test_results_of_tasks_are_arguments_like_others(kernel: Any, marks: Path) -> None:
    app, where = define(SQUARE.replace("n * n", "(n if type(n) is int else n[0]) + 1")), str(marks)
    chained = [app(app(1, where), where) for _ in range(3)]
    assert nf.gather(chained) == [[3]] * 3
    assert runs(marks) == 2


def test_files_count_by_content_and_outputs_must_be_there(kernel: Any, tmp_path: Path) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.write_text("one")
    copy = define(
        "@nf.bash_app(cache=True)\ndef app(given, outputs=()):\n    return f'cat {given} >> {outputs[0]}'\n"
    )

    def run() -> str:
        future = copy(nf.File(given), outputs=[nf.File(out)])
        assert future.result(20) == 0
        future.outputs[0].result()
        return future.task.why().partition(":")[0]

    assert run() == "miss"
    assert run() == "hit"
    assert out.read_text() == "one"
    given.write_text("two")
    assert run() == "miss"
    assert out.read_text() == "onetwo"
    out.unlink()
    assert run() == "miss"
    assert run() == "hit"
    assert out.read_text() == "two"


def test_retry_with_a_new_function_has_a_new_key(kernel: Any) -> None:
    app = define("@nf.python_app(cache=True)\ndef app(n):\n    raise OSError(n)\n")
    future = app(1)
    assert future.exception(10)
    future.task.retry(define("def app(n):\n    return n + 1\n"))
    assert future.result(10) == 2
    again = define("@nf.python_app(cache=True)\ndef app(n):\n    return n + 1\n")(1)
    assert again.result(10) == 2
    assert again.task.why().startswith("hit")


def test_bad_options_are_refused_where_they_are_given(kernel: Any) -> None:
    with pytest.raises(ConfigError, match="cache=1: give True or False"):
        nf.python_app(cache=1)
    with pytest.raises(AppTypeError, match=r"ignore=\['m'\]: the function takes n"):
        define("@nf.python_app(cache=True, ignore='m')\ndef app(n): ...\n")
    with pytest.raises(ConfigError, match="join app"):
        define("@nf.join_app(cache=True)\ndef app(n): ...\n")


def test_worker_processes_run_what_the_key_says(marks: Path) -> None:
    nf.load("processes", workers=2)
    try:
        where = str(marks)
        app = define(SQUARE)
        assert nf.gather(app.map([1, 2, 1, 2], [where] * 4)) == [[1], [4], [1], [4]]
        assert runs(marks) == 2
        app.fn.__globals__["FACTOR"] = 10
        assert nf.gather(app.map([1, 2], [where] * 2)) == [[10], [40]]
        assert runs(marks) == 4
    finally:
        nf.clear()
