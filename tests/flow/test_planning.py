import concurrent.futures
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow as nf
from nbflow.errors import AppTypeError, NotLoaded, NotPlannable
from nbflow.flow.spec import newest
from nbflow.memo.places import cache_dir


@pytest.fixture(autouse=True)
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NBFLOW_CACHE_DIR", str(tmp_path / "cache"))
    nf.load("threads", workers=2)
    yield
    nf.clear()


@nf.python_app(cache=True)
def area(width: int, height: int = 1) -> int:
    return width * height


@nf.python_app(cache=True)
def total(values: list[int]) -> int:
    return sum(values)


@nf.python_app
def shout(word: str) -> str:
    return word.upper()


@nf.join_app
def sweep(n: int) -> Any:
    return [area(number) for number in range(n)]


@nf.bash_app(cache=True)
def write(text: str, outputs: Any = ()) -> str:
    return f"echo {text} > {outputs[0]}"


def counts(plan: Any) -> dict[str, tuple[int, int, int]]:
    return {one.app: (one.reuse, one.run, one.depends) for one in plan}


def test_calls_are_counted_and_none_is_submitted() -> None:
    nf.gather(area.map(range(3)))
    nf.plan(lambda: area(9))  # the first look puts what came last into the index of the store
    before = {path: path.stat().st_size for path in cache_dir().rglob("*")}
    plan = nf.plan(lambda: (area.map(range(5)), area(1, height=1), area.options(priority=2)(7)))
    assert counts(plan) == {"area": (4, 3, 0)}
    assert plan[0].calls == 7
    assert "argument width: " in plan[0].why
    assert plan[0].seconds is not None
    assert len(nf.tasks()) == 3
    assert before == {path: path.stat().st_size for path in cache_dir().rglob("*")}
    assert area(3).result(10) == 3


def test_the_code_goes_on_with_what_is_remembered_and_stops_where_it_is_not() -> None:
    nf.gather(area.map([2, 3]))
    seen = []

    def cell() -> None:
        seen.append(nf.gather(area.map([2, 3])))
        seen.append(sum(seen[0]) and area(seen[0][0] + 40, 2).result())
        raise AssertionError

    plan = nf.plan(cell)
    assert seen == [[2, 3]]
    assert counts(plan) == {"area": (2, 1, 0)}
    assert plan.unknown.startswith(
        f"test_planning.py:{cell.__code__.co_firstlineno + 2}: the result of a call of area"
    )


def test_what_follows_a_call_that_is_run_depends_on_it() -> None:
    area(1).result(10)
    plan = nf.plan(lambda: (total([area(1), area(2)]), total([area(1)]), area(area(1))))
    assert counts(plan) == {"area": (4, 1, 0), "total": (0, 1, 1)}
    assert plan[1].why == "miss: no call of total was remembered before"
    gate = concurrent.futures.Future[int]()
    assert counts(nf.plan(lambda: total([gate]))) == {"total": (0, 0, 1)}
    gate.set_result(1)
    assert counts(nf.plan(lambda: total([gate]))) == {"total": (0, 1, 0)}


def test_equal_calls_are_run_once_and_those_under_way_not_again(tmp_path: Path) -> None:
    assert counts(nf.plan(lambda: [area(9), area(9)])) == {"area": (1, 1, 0)}
    gate = nf.python_app(cache=True, ignore="path")(_wait)
    running = gate(1, str(tmp_path / "go"))
    while running.task.state != "running":
        pass
    assert counts(nf.plan(lambda: gate(1, "other"))) == {"_wait": (1, 0, 0)}
    (tmp_path / "go").touch()
    assert running.result(10) == 1


def _wait(number: int, path: str) -> int:
    import time

    end = time.monotonic() + 10
    while not Path(path).exists() and time.monotonic() < end:
        time.sleep(0.01)
    return number


def test_apps_whose_calls_always_run_say_why() -> None:
    plan = nf.plan(lambda: (shout("a"), sweep(3), area(object())))  # type: ignore[arg-type]
    assert counts(plan) == {"shout": (0, 1, 0), "sweep": (0, 1, 0), "area": (0, 1, 0)}
    assert "cache=True is not said" in plan[0].why
    assert "known once it runs" in plan[1].why
    assert plan[2].why.startswith("not remembered: width: a builtins.object has no canonical form")


def test_a_changed_function_is_told_as_a_diff() -> None:
    area(2).result(10)
    plan = nf.plan(lambda: nf.python_app(cache=True)(_other_area())(2))
    assert "    -    return width * height" in plan[0].why
    assert "    +    return width + height" in repr(plan)
    assert "<details>" in plan._repr_html_()
    assert newest(area._spec) is area._spec, "what a plan defines is no new definition"


def _other_area() -> Any:
    def area(width: int, height: int = 1) -> int:
        return width + height

    area.__qualname__ = "area"
    return area


def test_files_that_are_gone_are_written_anew(tmp_path: Path) -> None:
    out = nf.File(tmp_path / "out")
    write("a", outputs=[out]).outputs[0].result(10)
    paths = []
    assert counts(nf.plan(lambda: paths.append(write("a", outputs=[out]).outputs[0].result()))) == {
        "write": (1, 0, 0)
    }
    assert paths == [out]
    (tmp_path / "out").unlink()
    plan = nf.plan(lambda: write("a", outputs=[out]).outputs[0].result())
    assert counts(plan) == {"write": (0, 1, 0)}
    assert "is gone or was changed" in plan[0].why
    assert not (tmp_path / "out").exists()


def test_placeholders_are_futures_that_keep_nobody_waiting() -> None:
    area(1).result(10)

    def cell() -> None:
        known, unknown = area(1), area(2)
        done, left = nf.wait([known, unknown])
        assert (len(done), len(left)) == (2, 0)
        assert len(list(nf.as_completed([known, unknown]))) == 2
        assert "area" in repr(unknown)
        assert not unknown.cancel()
        assert nf.attr(known, "real").result() == 1
        with pytest.raises(NotPlannable, match="makes none"):
            unknown.task  # noqa: B018 - the property raises
        real[0][0]
        unknown["key"].result()

    real = [total([area(1)])]
    real[0].result(10)
    with pytest.raises(TypeError, match="subscriptable"):  # the value is known, and is asked here
        nf.plan(cell)
    submitted = len(nf.tasks())
    real[0] = nf.python_app(_listed)()
    real[0].result(10)
    assert nf.plan(cell).unknown.count("getitem") == 1
    assert len(nf.tasks()) == submitted + 1


def _listed() -> list[int]:
    return [1]


def test_wrong_use_is_refused_and_leaves_apps_as_they_were() -> None:
    with pytest.raises(AppTypeError, match="lambda"):
        nf.plan(area(1))  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        nf.plan(lambda: 1 // 0)
    assert area(4).result(10) == 4
    assert repr(nf.plan(lambda: None)) == "nothing is called"
    nf.clear()
    with pytest.raises(NotLoaded):
        nf.plan(lambda: area(1))
