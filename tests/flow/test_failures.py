"""What failed comes in groups, and each group can be run again, skipped, debugged."""

from pathlib import Path

import pytest

import nbflow as nf
from nbflow.errors import JournalError, NbflowError, NoCapsule
from nbflow.flow.current import current
from nbflow.journal.reader import open_run
from nbflow.postmortem.triage import Reason

pytestmark = pytest.mark.usefixtures("kernel")


@nf.python_app
def invert(x: float) -> float:
    return 1 / x


@nf.python_app
def read(path: str) -> str:
    return Path(path).read_text()


@nf.python_app
def double(x: float) -> float:
    return 2 * x


@nf.join_app
def join(x: float) -> object:
    return invert(x)


def test_groups_show_what_failed_and_what_helps() -> None:
    inverted = [invert(0) for _ in range(3)]
    nf.wait([*inverted, read("/nowhere/a"), read("/nowhere/b"), double(inverted[0])])
    found = nf.failures()
    assert [(one.reason, one.error, len(one.numbers), one.blocked) for one in found] == [
        (Reason.USER_ERROR, "ZeroDivisionError", 3, 1),
        (Reason.MISSING_FILE, "FileNotFoundError", 2, 0),
    ]
    assert found[0].place == "invert in test_failures.py: return 1 / x"
    assert "3 x user error: ZeroDivisionError" in repr(found)
    assert "return 1 / x" in found._repr_html_()
    assert found.to_values()[1]["tasks"] == [4, 5]
    assert nf.failures(current().run_id)[0].retry() == 4


def test_a_group_of_exceptions_is_told_by_its_message() -> None:
    @nf.python_app
    def fail() -> None:
        raise ExceptionGroup("many", [ValueError(1), KeyError(2)])

    nf.wait([fail()])
    assert "ExceptionGroup: many (2 sub-exceptions)" in repr(nf.failures())


def test_a_call_that_began_nothing_says_so_in_the_debugger() -> None:
    future = nf.python_app(int)("no number")
    nf.wait([future])
    with pytest.raises(NoCapsule, match="before any code of yours ran: ValueError: invalid literal"):
        future.task.debug()


def test_a_retry_runs_the_group_alone() -> None:
    failed, other = invert(0), read("/nowhere/a")
    nf.wait([failed, other])
    group = next(one for one in nf.failures() if one.error == "ZeroDivisionError")
    assert group.retry(fn=lambda x: 7.0, retries=1) == 1
    assert failed.result(10) == 7.0
    assert [one.error for one in nf.failures()] == ["FileNotFoundError"]


def test_a_skip_gives_a_value_and_lets_dependents_go_on() -> None:
    good, failed = invert(1), invert(0)
    after = double(failed)
    nf.wait([good, failed, after])
    (group,) = nf.failures()
    assert group.skip(0.5) == 2
    assert (failed.result(10), after.result(10), good.result(10)) == (0.5, 1.0, 1.0)
    assert not nf.failures()
    current().journal.flush()
    with open_run(current().journal.address) as reader:
        assert "skip(0.5)" in [one.why for one in reader.repairs(failed.task.id)]
    assert nf.undo() == 2
    with pytest.raises(ZeroDivisionError):
        failed.result(10)


def test_a_join_is_skipped_without_its_children() -> None:
    failed = join(0)
    after = double(failed)
    nf.wait([failed, after])
    assert current().skip([failed._task], 4.0) == 2
    assert after.result(10) == 8.0
    assert [one.error for one in nf.failures()] == ["ZeroDivisionError"]
    assert nf.failures()[0].retry() == 1
    nf.wait([after])


def test_a_run_that_is_over_can_be_looked_at_and_debugged(capsys: pytest.CaptureFixture[str]) -> None:
    nf.wait([invert(0)])
    run, address = current().run_id, current().journal.address
    nf.clear()
    (group,) = nf.failures(address)
    assert group.reason is Reason.USER_ERROR
    with pytest.raises(NbflowError, match=f"the run {run} is not loaded"):
        group.retry()
    with pytest.raises(JournalError):
        nf.failures("no-such-run")


def test_nothing_failed() -> None:
    assert repr(nf.failures()) == "nothing failed"
    assert nf.failures()._repr_html_() == "<p>nothing failed</p>"
