"""Retries with changes, what is written down of them, their undoing, and what is held meanwhile."""

import io
from concurrent.futures import CancelledError, Future
from threading import Event
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import AppTypeError, ConfigError, DependencyError, InvalidResources, JoinError, NbflowError
from nbflow.flow.current import current
from nbflow.flow.kernel import DataFlowKernel
from nbflow.journal.reader import open_run
from nbflow.journal.repairs import Repair

pytestmark = pytest.mark.usefixtures("kernel")


@nf.python_app
def invert(x: float) -> float:
    return 1 / x


@nf.python_app
def double(x: float) -> float:
    return 2 * x


class Ear(io.StringIO):
    """Give up what is held as soon as it is told that something is."""

    def write(self, text: str) -> int:
        if "held" in text:
            nf.release()
        return super().write(text)


def define(source: str, name: str, **names: Any) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__", "nf": nf, **names}
    exec(source, namespace)
    return nf.python_app(namespace[name])


def repairs_of(future: Any) -> list[Repair]:
    journal = current().journal
    journal.flush()
    with open_run(journal.address) as reader:
        return list(reader.repairs(future.task.id))


class TestOptions:
    def test_options_are_changed_for_the_tasks_of_the_retry_alone(self, kernel: DataFlowKernel) -> None:
        first, second = invert(0), invert(0)
        nf.wait([first, second])
        first.task.retry(retries=1, walltime=60, priority=3)
        nf.wait([first])
        assert len(first.task.attempts) == 3
        options = first._task.options
        assert (options.walltime, options.priority) == (60, 3)
        assert first._task.call.directive.walltime == 60
        assert second._task.options.walltime is None
        assert invert(1)._task.options.priority == 0

    def test_what_cannot_be_is_told_and_nothing_reopens(self, kernel: DataFlowKernel) -> None:
        future = invert(0)
        nf.wait([future])
        for options, error in (
            ({"memroy": "2GB"}, "did you mean 'memory'"),
            ({"x": 1}, "an argument is changed by args= or kwargs="),
            ({"label": "x"}, "a retry cannot change 'label'"),
            ({"sites": "nowhere"}, "no executor is called 'nowhere'"),
        ):
            with pytest.raises(ConfigError, match=error):
                nf.retry(failed=True, **options)
        with pytest.raises(InvalidResources):
            future.task.retry(gpus=99)
        for given, error in (
            ({"args": (1, 2)}, "too many positional arguments"),
            ({"kwargs": {"y": 1}}, "unexpected keyword argument 'y'"),
            ({"args": 1}, "args is a int: give a tuple"),
            ({"args": "0"}, "args is a str: give a tuple"),
            ({"kwargs": ["x"]}, "kwargs is a list: give a dict"),
            ({"kwargs": {"x": 1}}, "what was given by position stays"),
            ({"fn": 3}, "fn=3: give the function"),
            ({"fn": lambda: 0, "args": (1,)}, "too many positional arguments"),
        ):
            with pytest.raises(AppTypeError, match=error):
                future.task.retry(**given)
        with pytest.raises(NbflowError, match="no app is called 'ivnert'; did you mean 'invert'"):
            nf.retry(app="ivnert")
        for wrong in (3, ZeroDivisionError(), (ValueError, 3)):
            with pytest.raises(AppTypeError, match="give a type of exceptions"):
                nf.retry(error=wrong)
        assert future.task.state == "failed"
        assert len(future.task.attempts) == 1

    def test_what_waits_for_a_task_is_no_argument_of_it(self) -> None:
        bad = invert(0)
        waiting = double(double(bad))
        nf.wait([waiting])
        for circle in (bad, waiting, {"inside": [waiting]}):
            with pytest.raises(AppTypeError, match="never ends"):
                bad.task.retry(args=(circle,))
        bad.task.retry(args=[0.5])
        assert waiting.result(10) == 8

    def test_a_result_is_remembered_where_the_retry_says_so(self) -> None:
        calls: list[int] = []
        app = define(
            "def once(n):\n    calls.append(n)\n    if len(calls) < 2: raise OSError\n    return n\n",
            "once",
            calls=calls,
        )
        future = app(1)
        nf.wait([future])
        future.task.retry(cache=True, fn=lambda n: n + 1)
        assert future.result(10) == 2
        assert "miss" in future.task.why()


class TestWrittenDown:
    def test_who_and_why_and_both_codes(self) -> None:
        app = define("def area(r):\n    return 3 / r\n", "area")
        future = app(0)
        after = double(future)
        nf.wait([after])
        define("def area(r):\n    return 3 * r\n", "area")
        nf.retry(error=ZeroDivisionError, app="area", memory="1 MB")
        assert after.result(10) == 0
        (repair,) = repairs_of(future)
        assert (repair.by, repair.root) == ("Python", None)
        assert repair.why == "error=ZeroDivisionError, app=area, memory='1 MB'"
        (echo,) = repairs_of(after)
        assert (echo.root, echo.has_other_code) == (future.task.id, False)
        assert "asked for by Python (error=ZeroDivisionError" in future.task.why()
        assert f"with task {future.task.id}" in after.task.why()

    def test_a_function_for_one_task_is_kept_and_the_next_retry_goes_back_to_the_app(self) -> None:
        future = invert(0)
        nf.wait([future])
        future.task.retry(fn=lambda x: [][x])
        assert isinstance(future.exception(10), IndexError)
        future.task.retry(args=(4,))
        assert future.result(10) == 0.25
        first, second = repairs_of(future)
        assert first.has_other_code
        assert any("[][x]" in line for line in first.diff() if line.startswith("+"))
        assert any("1 / x" in line for line in second.diff() if line.startswith("+"))
        assert second.why == f"task {future.task.id}, args=(4,)"


class TestUndo:
    def test_the_former_exceptions_are_back_also_where_the_retry_succeeded(self) -> None:
        bad = invert(0)
        after = double(bad)
        nf.wait([after])
        former, echo = bad.exception(10), after.exception(10)
        assert nf.retry(failed=True, fn=lambda x: 7) == 2
        assert after.result(10) == 14
        assert nf.undo() == 2
        assert bad.exception(10) is former
        assert repr(after.exception(10)) == repr(echo)
        assert (bad.task.state, after.task.state) == ("failed", "upstream_failed")
        assert [str(repair) for repair in repairs_of(bad)][-1] == "the retry was undone by Python"
        assert nf.tasks(state="failed")[0].error == "ZeroDivisionError"
        assert sum("future.task.retry()" in note for note in former.__notes__) == 1  # type: ignore[union-attr]

    def test_what_was_undone_can_be_retried_and_there_is_one_retry_to_undo(self) -> None:
        bad = invert(0)
        after = double(bad)
        nf.wait([after])
        bad.task.retry(args=(2,))
        assert after.result(10) == 1
        nf.undo()
        assert nf.undo() == 0
        bad.task.retry()
        assert isinstance(bad.exception(10), ZeroDivisionError), "with the arguments that it had"
        bad.task.retry(args=(4,))
        assert after.result(10) == 0.5

    def test_a_retry_that_still_runs_is_stopped(self) -> None:
        bad = invert(0)
        after = double(bad)
        nf.wait([after])
        gate, started = Event(), Event()
        bad.task.retry(fn=lambda x: (started.set(), gate.wait(20)))
        assert started.wait(10)
        nf.undo()
        assert isinstance(bad.exception(10), ZeroDivisionError)
        gate.set()
        assert after.task.state == "upstream_failed"

    def test_another_failure_gives_way_to_the_former(self) -> None:
        bad = invert(0)
        nf.wait([bad])
        bad.task.retry(fn=lambda x: [][x])
        assert isinstance(bad.exception(10), IndexError)
        nf.undo()
        assert isinstance(bad.exception(10), ZeroDivisionError)
        assert nf.tasks(state="failed")[0].error == "ZeroDivisionError"

    def test_a_cancelled_task_is_cancelled_again(self) -> None:
        gate = Event()
        holding = nf.python_app(lambda: gate.wait(20))()
        holding.cancel()
        holding.task.retry(fn=lambda: 5)
        assert holding.result(10) == 5
        nf.undo()
        with pytest.raises(CancelledError):
            holding.result(10)
        gate.set()

    def test_a_future_of_others_among_the_former_arguments_is_waited_for_again(self) -> None:
        foreign: Future[float] = Future()
        waiting = double(foreign)
        waiting.cancel()
        waiting.task.retry(args=(1,))
        assert waiting.result(10) == 2
        nf.undo()
        with pytest.raises(CancelledError):
            waiting.result(10)
        waiting.task.retry()
        assert waiting.task.state == "waiting"
        foreign.set_result(4)
        assert waiting.result(10) == 8

    def test_what_waits_for_a_result_that_is_taken_back_fails_and_what_is_done_with_it_stays(self) -> None:
        gate = Event()
        bad = invert(0)
        nf.wait([bad])
        bad.task.retry(args=(4,))
        used = double(bad)
        assert used.result(10) == 0.5
        waiting = nf.python_app(lambda x, y: x)(bad, nf.python_app(lambda: gate.wait(20))())
        nf.undo()
        assert isinstance(waiting.exception(10), DependencyError)
        assert used.result(0) == 0.5
        gate.set()
        bad.task.retry(args=(2,))
        assert waiting.result(10) == 0.5

    def test_a_join_that_ran_anew_is_closed_and_what_it_started_ends(self) -> None:
        gate = Event()

        @nf.join_app
        def tree(kind: str) -> Any:
            if kind == "bad":
                raise ValueError(kind)
            return [nf.python_app(lambda: gate.wait(20))()]

        join = tree("bad")
        nf.wait([join])
        join.task.retry(args=("good",))
        while not any(one.spawner for one in nf.tasks(state="running")):  # and not only the body of the join
            pass
        nf.undo()
        assert isinstance(join.exception(10), ValueError)
        assert {record.state.name for record in nf.tasks()} == {"FAILED", "CANCELLED"}
        gate.set()


class TestHold:
    def test_what_waits_is_held_and_goes_on_with_the_retry(self) -> None:
        bad = invert.options(on_failure="hold")(0)
        after = double(double(bad))
        assert isinstance(bad.exception(10), ZeroDivisionError)
        with pytest.raises(TimeoutError, match="is kept waiting"):
            after.result(0.2)
        assert [record.state.name for record in nf.tasks()] == ["FAILED", "HELD", "HELD"]
        assert f"held: task {bad.task.id} failed" in after.task.why()
        assert nf.retry(failed=True, fn=lambda x: 1) == 3
        assert after.result(10) == 4

    def test_who_waits_for_what_is_held_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stderr", ear := Ear())
        with pytest.raises(DependencyError):
            double(invert.options(on_failure="hold")(0)).result(20)
        assert "task 2 is held: task 1 failed" in ear.getvalue()

    def test_a_block_that_waits_for_all_says_what_keeps_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nf.clear()
        monkeypatch.setattr("sys.stderr", ear := Ear())
        with nf.load("threads", workers=1, on_failure="hold"):
            double(invert(0))
        assert "nothing goes on: 1 held, 0 paused" in ear.getvalue()

    def test_a_hold_is_given_up_for_some_or_all(self) -> None:
        hold = invert.options(on_failure="hold")
        first, second = hold(0), hold(0)
        afters = [double(first), double(second), double(double(second))]
        nf.wait([first, second])
        assert nf.release(afters[0]) == 1
        assert isinstance(afters[0].exception(10), DependencyError)
        assert afters[1].task.state == "held"
        assert second.task.release()
        for future in afters[1:]:
            assert isinstance(future.exception(10), DependencyError)
        assert nf.release() == 0

    def test_a_held_task_can_be_cancelled_and_undone(self) -> None:
        bad = invert.options(on_failure="hold")(0)
        after, last = (held := double(bad)), double(double(held))
        nf.wait([bad])
        bad.task.retry(fn=lambda x: 2)
        assert last.result(10) == 16
        nf.undo()
        assert (after.task.state, last.task.state, last.done()) == ("held", "held", False)
        after.cancel()
        with pytest.raises(CancelledError):
            after.result(10)
        assert isinstance(last.exception(10), DependencyError)

    def test_a_join_whose_child_failed_is_held(self) -> None:
        @nf.join_app
        def tree() -> Any:
            return [invert.options(on_failure="hold")(0), double(1)]

        join = tree()
        while join.task.state != "held":
            pass
        nf.retry(error="ZeroDivisionError", fn=lambda x: 3)
        assert join.result(10) == [3, 2]
        other = tree()
        while other.task.state != "held":
            pass
        nf.release()
        assert isinstance(other.exception(10), JoinError)

    def test_all_apps_hold_where_load_says_so(self) -> None:
        nf.clear()
        nf.load("threads", workers=1, on_failure="hold")
        bad = invert(0)
        after, given_up = double(bad), double(invert.options(on_failure="fail")(0))
        nf.wait([bad, given_up])
        assert after.task.state == "held"
        assert given_up.task.state == "upstream_failed"
        with pytest.raises(ConfigError, match="give 'fail' or 'hold'"):
            nf.load("threads", on_failure="wait")


class TestPause:
    def test_everything_is_kept_back_until_it_is_resumed(self) -> None:
        assert nf.pause() == 0
        first = double(1)
        after = double(first)
        with pytest.raises(TimeoutError):
            after.result(0.2)
        assert (first.task.state, after.task.state) == ("paused", "waiting")
        assert "nbflow.resume() lets it go on" in first.task.why()
        assert nf.resume() == 1
        assert after.result(10) == 4

    def test_what_runs_goes_on_and_another_try_of_it_is_kept_back(self) -> None:
        gate, started = Event(), Event()

        @nf.python_app(retries=1)
        def flaky() -> int:
            if not started.is_set():
                started.set()
                gate.wait(20)
                raise OSError("first try")
            return 1

        future = flaky()
        assert started.wait(10)
        nf.pause(app="flaky")
        assert future.task.state == "running"
        gate.set()
        while future.task.state == "running":
            pass
        assert future.task.state == "paused"
        nf.resume(app="flaky")
        assert future.result(10) == 1

    def test_one_app_or_some_tasks_are_kept_back_and_the_last_word_counts(self) -> None:
        nf.pause(app="double")
        kept = double(1)
        assert invert(1).result(10) == 1
        assert kept.task.state == "paused"
        nf.resume(kept)
        assert kept.result(10) == 2
        nf.pause()
        held = invert(1)
        nf.resume(app="double")
        assert double(2).result(10) == 4
        assert held.task.state == "paused"
        nf.resume()
        assert held.result(10) == 1

    def test_an_app_that_nobody_defined_is_told(self) -> None:
        for word in (nf.pause, nf.resume):
            with pytest.raises(NbflowError, match="no app is called 'duoble'; did you mean 'double'"):
                word(app="duoble")

    def test_a_paused_task_can_be_cancelled_and_a_retried_one_is_kept_back(self) -> None:
        bad = invert(0)
        nf.wait([bad])
        nf.pause()
        bad.task.retry(args=(1,))
        assert bad.task.state == "paused"
        other = double(1)
        assert other.cancel()
        nf.resume()
        assert bad.result(10) == 1
