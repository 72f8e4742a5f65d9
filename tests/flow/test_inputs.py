import threading
from collections import Counter, namedtuple
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import AppTypeError, DependencyError
from nbflow.flow.futures.inputs import replace_futures, walk_futures

Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Job:
    name: str
    part: Any
    others: list[Any] = field(default_factory=list)


def done(value: object) -> "Future[object]":
    future: Future[object] = Future()
    future.set_result(value)
    return future


def test_futures_are_found_at_any_depth_in_order() -> None:
    one, two, three = done(1), done(2), done(3)
    value = [one, {"a": (two, "x")}, Job("j", {three})]
    assert list(walk_futures(value)) == [one, two, three]


def test_replacing_keeps_types_and_copies_only_what_changes() -> None:
    plain = {"k": [1, 2]}
    value = [plain, Pair(done(1), 2), {done(3)}, Job("j", done(4), [done(5)])]
    new = replace_futures(value)
    assert new == [plain, Pair(1, 2), {3}, Job("j", 4, [5])]
    assert new[0] is plain
    assert replace_futures(plain) is plain


@pytest.mark.usefixtures("kernel")
def test_what_is_put_into_a_list_after_the_call_is_not_part_of_it() -> None:
    @nf.python_app
    def count(values: list[Any]) -> int:
        return len(values)

    go = threading.Event()
    results: list[Any] = [nf.python_app(go.wait)(10)]
    for _ in range(3):
        results.append(count(results))
    go.set()
    assert nf.gather(results, timeout=10) == [True, 1, 2, 3]


def test_a_list_that_holds_itself_is_entered_once() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert list(walk_futures(loop)) == []
    assert replace_futures(loop) is loop


@pytest.mark.usefixtures("kernel")
def test_a_task_waits_for_futures_inside_its_arguments() -> None:
    @nf.python_app
    def one() -> int:
        return 1

    @nf.python_app
    def total(job: Job, extra: dict[str, Any]) -> Any:
        return job.part + sum(job.others) + extra["x"][0]

    future = total(Job("j", one(), [one(), one()]), {"x": [one()]})
    assert future.result(10) == 4


@pytest.mark.usefixtures("kernel")
def test_foreign_futures_are_waited_for() -> None:
    @nf.python_app
    def double(x: int) -> int:
        return 2 * x

    foreign: Future[int] = Future()
    future = double(foreign)  # type: ignore[arg-type]
    foreign.set_result(21)
    assert future.result(10) == 42


@pytest.mark.usefixtures("kernel")
def test_a_foreign_future_that_fails_fails_the_task() -> None:
    @nf.python_app
    def double(x: int) -> int:
        return 2 * x

    foreign: Future[int] = Future()
    future = double(foreign)  # type: ignore[arg-type]
    foreign.set_exception(KeyError("gone"))
    with pytest.raises(DependencyError, match=r"KeyError.*retry\(args=") as caught:
        future.result(10)
    assert isinstance(caught.value.root, KeyError)


@pytest.mark.usefixtures("kernel")
def test_a_foreign_future_of_former_arguments_is_no_longer_heard() -> None:
    @nf.python_app
    def pair(left: Any, right: Any) -> Any:
        return left, right

    failing, late, wanted = Future[int](), Future[int](), Future[int]()
    future = pair(failing, late)
    failing.set_exception(KeyError("gone"))
    with pytest.raises(DependencyError):
        future.result(10)
    future.task.retry(args=(wanted, 2))
    late.set_result(1)
    assert future.task.state == "waiting"
    wanted.set_result(7)
    assert future.result(10) == (7, 2)


def test_subclasses_of_containers_stay_what_they_are() -> None:
    class Row(list[Any]):
        def __init__(self, one: Any) -> None:
            super().__init__([one])

    class Couple(tuple[Any, ...]):
        def __new__(cls, left: Any, right: Any) -> "Couple":
            return super().__new__(cls, (left, right))

    row, couple, counter = replace_futures([Row(done(1)), Couple(done(2), 3), Counter({"a": done(4)})])
    assert (type(row), row) == (Row, [1])
    assert (type(couple), couple) == (Couple, (2, 3))
    assert counter == Counter({"a": 4})


@pytest.mark.usefixtures("kernel")
def test_an_argument_that_is_nested_too_deeply_is_refused_where_it_is_given() -> None:
    deep: list[Any] = [nf.python_app(abs)(-1)]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(AppTypeError, match="nested too deeply"):
        nf.python_app(len)(deep)
