from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbflow.errors import AppTypeError, NbflowError, QueryError
from nbflow.flow import current
from nbflow.flow.load import load
from nbflow.magics.line import WORDS, LineMagics, parsers


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The line magic, with threads loaded."""
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    load("threads", workers=1)
    yield LineMagics(InteractiveShell()).nbflow
    current.clear()


def fail() -> None:
    raise ValueError("not today")


def test_status_counts_tasks(say: Any) -> None:
    current.current()
    text = repr(say("status"))
    assert "0 of 0 tasks done" in text
    assert repr(say("")) == text


def test_tasks_are_listed_by_state(say: Any) -> None:
    from nbflow.apps.decorators import python_app

    future = python_app(fail)()
    future.exception(timeout=5)
    assert [record.state.name for record in say("tasks failed")] == ["FAILED"]
    assert len(say("tasks done")) == 0
    assert repr(say("retry")) == "1 task runs again"
    future.exception(timeout=5)
    assert "1 failed" in repr(say("status"))
    assert repr(say("cancel")) == "cancelled 0 tasks"


def test_a_retry_takes_the_words_of_the_command_line_and_is_undone(say: Any) -> None:
    from nbflow.apps.decorators import python_app

    future = python_app(fail)()
    future.exception(timeout=5)
    with pytest.raises(NbflowError, match="no app is called 'nobody'"):
        say("retry --app nobody")
    assert repr(say("retry --failed --error ValueError --memory 1MB --retries 1")) == "1 task runs again"
    future.exception(timeout=5)
    assert len(future.task.attempts) == 3
    assert "by %nbflow retry (error=ValueError, memory='1MB', retries=1)" in future.task.why()
    assert repr(say("undo")) == "1 task is as it was before the last retry"
    with pytest.raises(UsageError, match="%nbflow retry"):
        say("retry --speed 3")


def test_work_is_paused_resumed_and_released(say: Any) -> None:
    from nbflow.apps.decorators import python_app

    app = python_app(fail)
    assert repr(say("pause fail")) == "paused; 0 tasks wait that could start"
    future = app()
    assert repr(say("pause --task 1")) == "paused; 0 tasks wait that could start"
    assert repr(say("cancel --task 1")) == "cancelled 1 task"
    assert repr(say("resume")) == "resumed; 0 tasks could start"
    assert repr(say("release")) == "0 tasks are held no longer"
    assert future.cancelled()


def test_the_run_can_be_ended_and_loaded(say: Any) -> None:
    say("clear")
    assert not current.is_loaded()
    assert "nothing is loaded" in repr(say("status"))
    say("load threads --workers 1")
    assert current.is_loaded()
    run = current.current().run_id
    assert "calls run anew" in repr(say("fresh"))
    assert current.current().run_id == run
    say(f"load --resume {run}")
    assert current.current().run_id != run


def test_sites_are_listed_checked_and_rendered(
    say: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "LUMI, CSC (untested)" in repr(say("sites"))
    assert "✓ clock" in repr(say("sites check local"))
    assert "#SBATCH --partition=small" in repr(say("sites render lumi"))
    with pytest.raises(NbflowError, match="no-such-site"):
        say("sites start no-such-site other.ipynb --blocks 2")


def test_failed_tasks_are_skipped(say: Any) -> None:
    from nbflow.apps.decorators import python_app

    future = python_app(fail)()
    after = python_app(str)(future)
    after.exception(timeout=5)
    with pytest.raises(NbflowError, match="skip what"):
        say("skip --value 0")
    with pytest.raises(AppTypeError, match="give a Python literal"):
        say("skip --task 1 --value nothing")
    assert repr(say("skip --error ValueError --value '[1, None]'")) == "2 tasks go on with the value"
    assert (future.result(5), after.result(5)) == ([1, None], "[1, None]")
    assert "by %nbflow skip (skip([1, None]))" in future.task.why()
    assert repr(say("undo")) == "2 tasks are as they were before the last retry"


def test_the_journal_is_asked(say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbflow.apps.decorators import python_app

    python_app(fail)().exception(timeout=5)
    frame = say("sql SELECT state, count(*) AS n FROM tasks WHERE error = 'ValueError' -- why")
    assert frame.to_dict("records") == [{"state": "failed", "n": 1}]
    monkeypatch.setattr("nbflow.magics.looking.find_spec", lambda name: None)
    run = current.current().run_id
    assert list(say(f"sql --run {run[:-2]} SELECT 'two  spaces', '--run'")) == [("two  spaces", "--run")]
    assert [row[0] for row in say("tail 2")] == [2, 3]
    with pytest.raises(QueryError, match="only SELECT is answered"):
        say("sql DROP VIEW tasks")
    ask = LineMagics(InteractiveShell()).nbflow_sql
    assert list(ask("", "SELECT app\nFROM tasks")) == list(ask("last", "SELECT 'fail'")) == [("fail",)]
    with pytest.raises(UsageError, match="takes the name of one run"):
        ask("one two", "SELECT 1")


def test_every_word_explains_itself(say: Any) -> None:
    overview = repr(say("help"))
    for word in WORDS:
        assert f"%nbflow {word}" in overview
        told = repr(say(f"help {word}"))
        assert told == repr(say(f"{word} --help"))
        assert f"usage: %nbflow {word}" in told
        assert "examples:\n  %nbflow" in told
    assert overview == LineMagics.nbflow.__doc__


@pytest.mark.parametrize("word", [word for word in WORDS if word not in ("sql", "help")])
def test_every_example_is_understood(word: str) -> None:
    for line, _ in WORDS[word].examples:
        parsers()[word].parse_args(line.split()[1:])


@pytest.mark.parametrize(
    "line", ["fly", "sites burn", "status now", "load --speed 3", "tasks asleep", "skip"]
)
def test_what_is_not_understood_says_so(say: Any, line: str) -> None:
    with pytest.raises(UsageError, match="%nbflow"):
        say(line)


def test_failures_are_grouped_and_debugged(say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbflow.apps.decorators import python_app

    future = python_app(fail)()
    future.exception(timeout=5)
    assert "1 x user error: ValueError: not today" in repr(say("failures"))
    opened: list[Any] = []
    monkeypatch.setattr("nbflow.postmortem.capsule._post_mortem", opened.append)
    say("debug 1")
    say(f"debug {current.current().run_id} 1")
    assert len(opened) == 2
    with pytest.raises(UsageError, match="required: TASK; see %nbflow debug --help"):
        say("debug")
