"""Editing failed tasks, on a real dataflow kernel."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import AppTypeError, NbflowError
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.steering.commands import Desk
from nbflow.flow.steering.editing import edit, prepare, revise, source_of

SCALE = 10


@nf.python_app(retries=0)
def halve(n: int, label: str = "x") -> float:
    if n > 2:
        raise ValueError(f"{n} is too much")
    return SCALE * n / 2


@nf.python_app
def double(value: float) -> float:
    return 2 * value


def settled(*futures: Any) -> None:
    nf.wait(futures)


def test_a_draft_has_the_source_from_its_def_on_and_the_arguments(kernel: DataFlowKernel) -> None:
    first, second, fine = halve(3), halve(4, label="y"), halve(1)
    after = double(second)
    settled(first, second, fine, after)
    draft = prepare(kernel, second._task)
    assert draft.source is not None
    assert draft.source.startswith("def halve(n: int")
    assert Path(draft.filename).read_text().splitlines()[draft.line - 1].startswith("def halve")
    assert [(one.name, one.text, one.is_literal) for one in draft.arguments] == [
        ("n", "4", True),
        ("label", "'y'", True),
    ]
    assert (draft.error, draft.alike, draft.blocked, draft.all_blocked) == ("ValueError", 2, 1, 1)


def test_an_edited_source_runs_the_failed_branch_alone(kernel: DataFlowKernel) -> None:
    first, second, fine = halve(3), halve(4), halve(1)
    after = double(second)
    settled(first, second, fine, after)
    source = prepare(kernel, second._task).source or ""
    assert edit(kernel, second._task, source=source.replace("n > 2", "n > 20")) == 2
    assert after.result(20) == 2 * SCALE * 2
    assert isinstance(first.exception(), ValueError)
    assert fine.task.state == "done"
    assert fine._task.try_id == 1
    assert halve.fn is not second  # the app itself is as it was
    with pytest.raises(ValueError, match="is too much"):
        halve(4).result(20)


def test_one_edit_for_all_with_the_same_error(kernel: DataFlowKernel) -> None:
    failed = halve.map(range(3, 8))
    settled(*failed)
    source = prepare(kernel, failed[0]._task).source or ""
    assert edit(kernel, failed[0]._task, source=source.replace("n > 2", "n > 20"), all_alike=True) == 5
    assert [one.result(20) for one in failed] == [SCALE * n / 2 for n in range(3, 8)]


def test_edited_arguments_are_those_of_one_task(kernel: DataFlowKernel) -> None:
    first, second = halve(3), halve(4, label="z")
    after = double(second)
    settled(first, after)
    assert [one.name for one in prepare(kernel, first._task).arguments] == ["n", "label"]  # with its default
    edit(kernel, second._task, arguments={"n": "2"})
    assert after.result(20) == 2 * SCALE
    assert isinstance(first.exception(), ValueError)


def test_an_edit_that_fails_again_is_edited_from_where_it_was_left(kernel: DataFlowKernel) -> None:
    call = halve(5)
    settled(call)
    edit(kernel, call._task, source="def halve(n, label='x'):\n    raise KeyError('second thought')\n")
    assert isinstance(call.exception(20), KeyError)
    assert "second thought" in (prepare(kernel, call._task).source or "")


def test_an_edited_function_keeps_its_closure_and_its_defaults(kernel: DataFlowKernel) -> None:
    bonus = 7

    @nf.python_app
    def add(n: int, more: int = 1) -> int:
        return (n + bonus + more) // 0

    call = add(1)
    settled(call)
    edit(kernel, call._task, source=(prepare(kernel, call._task).source or "").replace(" // 0", ""))
    assert call.result(20) == 9


@pytest.mark.parametrize("source", ["def f(:", "x = 1", "def f(): pass\nf()", "", "class A: pass"])
def test_what_is_no_function_is_refused_before_anything_runs(kernel: DataFlowKernel, source: str) -> None:
    call = halve(5)
    settled(call)
    with pytest.raises((SyntaxError, AppTypeError)):
        edit(kernel, call._task, source=source)
    assert call.task.state == "failed"
    assert len(call.task.attempts) == 1


@pytest.mark.parametrize("arguments", [{"n": "open('x')"}, {"n": "3 +"}, {"m": "1"}, {"n": ""}])
def test_arguments_that_are_no_literals_are_refused(
    kernel: DataFlowKernel, arguments: dict[str, str]
) -> None:
    call = halve(5)
    settled(call)
    with pytest.raises(AppTypeError):
        edit(kernel, call._task, arguments=arguments)
    assert call.task.state == "failed"


def test_what_did_not_fail_cannot_be_edited(kernel: DataFlowKernel) -> None:
    fine = halve(1)
    settled(fine)
    with pytest.raises(NbflowError, match="only failed and cancelled"):
        prepare(kernel, fine._task)


def test_a_value_that_is_no_literal_is_described_and_kept(kernel: DataFlowKernel) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise AssertionError("a user's code was run to show a value")

    @nf.python_app
    def take(odd: Any, many: list[int], far: float, deep: Any) -> Any:
        raise ValueError(f"{type(odd).__name__} {len(many)}")

    call = take(Odd(), list(range(2000)), float("inf"), [[1, (2, None)]])
    settled(call)
    shown = {one.name: one for one in prepare(kernel, call._task).arguments}
    assert {name: one.is_literal for name, one in shown.items()} == {
        "odd": False, "many": False, "far": False, "deep": True,
    }  # fmt: skip
    assert shown["odd"].text == "<Odd>"
    source = "def take(odd, many, far, deep):\n    return type(odd).__name__, deep\n"
    edit(kernel, call._task, source=source, arguments={"deep": "[3]"})
    assert call.result(20) == ("Odd", [3])


def wrapped(fn: Callable[..., Any]) -> Callable[..., Any]:
    import functools

    @functools.wraps(fn)
    def inner(*args: Any) -> Any:
        return fn(*args)

    return inner


@pytest.mark.parametrize("fn", [lambda n: n, wrapped(halve.fn), len, Path])
def test_what_a_text_cannot_make_again_is_refused_with_the_reason(fn: Callable[..., Any]) -> None:
    with pytest.raises(NbflowError, match=r"decorator|cell|source"):
        source_of(fn)


def test_a_revised_function_of_a_module_goes_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker would import the module's own function, were it sent by its name."""
    (tmp_path / "sweeping.py").write_text("def f(n):\n    return n // 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import sweeping  # type: ignore[import-not-found]

    nf.load(workers=1)
    try:
        app = nf.python_app(sweeping.f)
        call = app(4)
        assert isinstance(call.exception(30), ZeroDivisionError)
        call.task.retry(fn=revise(sweeping.f, "def f(n):\n    return n // 2\n"))
        assert call.result(30) == 2
    finally:
        nf.clear()
        del sys.modules["sweeping"]


def test_the_same_through_the_commands_that_panels_use(kernel: DataFlowKernel) -> None:
    call, fine = halve(5), halve(1)
    settled(call, fine)
    desk = Desk(kernel)
    draft = desk.do("draft", {"task": call.task.id})
    source = draft["source"].replace("n > 2", "n > 20")
    with pytest.raises(nf.errors.ControlError, match="was not run again"):
        desk.do("edit", {"task": call.task.id, "source": "def"})
    with pytest.raises(nf.errors.ControlError, match="arguments has to be"):
        desk.do("edit", {"task": call.task.id, "arguments": {"n": 3}})
    with pytest.raises(nf.errors.ControlError, match="is done"):
        desk.do("draft", {"task": fine.task.id})
    assert desk.do("edit", {"task": call.task.id, "source": source}) == {"reopened": 1}
    assert call.result(20) == SCALE * 5 / 2
    desk.close()
