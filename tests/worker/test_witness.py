"""What is taken down where a call failed: enough to debug it, bounded, without its secrets."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nbflow.errors import BashExitFailure
from nbflow.postmortem.store import MOST_NBYTES
from nbflow.wire import capsule
from nbflow.wire.capsule import Evidence, unpack
from nbflow.worker import witness
from nbflow.worker.pictures import is_safe, picture

SECRET = "never-to-be-written"


class Hangs:
    """Be an object that must not be asked anything."""

    def __repr__(self) -> str:
        time.sleep(3600)
        return ""

    def __reduce__(self) -> Any:
        time.sleep(3600)

    __getstate__ = __reduce__  # type: ignore[assignment]


@dataclass
class Point:
    x: int
    password: str = ""


def told(fn: Callable[..., object], *args: object) -> Evidence:
    return Evidence.from_json(account(fn, *args).evidence)


def account(fn: Callable[..., object], *args: object) -> capsule.Testimony:
    try:
        fn(*args)
    except Exception as error:  # noqa: BLE001 - any failure is taken down
        found, _ = witness.testify(error, None, fn, args, {})
        assert found is not None
        return found
    raise AssertionError("it did not fail")


def test_frames_have_their_variables_and_source() -> None:
    def outer(n: int) -> None:
        array = np.arange(n)
        inner(array, {"k": [n]})

    def inner(array: object, options: dict[str, list[int]]) -> None:
        raise ValueError(options)

    first, last = told(outer, 4).frames[-2:]
    assert (first.function, last.function) == ("outer", "inner")
    assert {one.name: one.text for one in last.variables}["options"] == "{'k': [4]}"
    array = next(one for one in last.variables if one.name == "array")
    assert array.data is not None
    assert list(unpack(array.data)) == [0, 1, 2, 3]
    assert "raise ValueError(options)" in last.source
    assert last.source.splitlines()[last.line - last.first_line].strip() == "raise ValueError(options)"


def test_values_that_hang_are_huge_or_cannot_travel_are_pictures() -> None:
    def fail() -> None:
        hangs = Hangs()
        within = [Hangs(), {"deep": Hangs()}]
        lock = threading.Lock()
        array = np.zeros(10_000_000)
        text = "x" * 50_000_000
        numbers = list(range(1_000_000))
        itself: list[object] = []
        itself.append(itself)
        args = hangs, within, lock, array, text, numbers
        del args  # what a message says is the user's own
        raise ValueError

    begun = time.monotonic()
    evidence = told(fail)
    assert time.monotonic() - begun < 30, "something of the values' own was run"
    kept = {one.name: one for one in evidence.frames[-1].variables}
    assert {name for name, one in kept.items() if one.data is not None} == {"itself"}
    assert kept["hangs"].text == f"<{__name__}.Hangs>"
    assert kept["numbers"].text.endswith("more]")
    assert all(len(one.text) <= 2000 for one in kept.values())


def test_a_deep_recursion_and_many_variables_stay_below_the_bound() -> None:
    def deep(n: int, ballast: str) -> None:
        exec("\n".join(f"v{i} = ballast" for i in range(500)), {"ballast": ballast}, {})
        deep(n + 1, ballast + "x" * 3000)

    found = account(deep, 0, "y" * 100_000)
    assert len(found.evidence) < MOST_NBYTES
    assert len(json.loads(found.evidence)["frames"]) <= 40


def test_secrets_of_variables_arguments_and_environment_are_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("MY_TOKEN", SECRET + "-environment")

    def fail(point: Point, api_key: str) -> None:
        everything = dict(os.environ)
        url = f"https://me:{SECRET}@host/"
        headers = {"Authorization": f"Bearer {SECRET}"}
        copied = api_key
        raise ValueError(f"no {api_key}", everything, url, headers, copied, point)

    found = account(fail, Point(1, SECRET + "-attribute"), SECRET + "-argument")
    assert SECRET not in found.evidence
    assert SECRET not in found.traceback
    evidence = Evidence.from_json(found.evidence)
    for one in evidence.frames[-1].variables:
        assert one.data is None or SECRET.encode() not in one.data
    assert "Point(x=1, password=<withheld>)" in [one.text for one in evidence.frames[-1].variables]


def test_output_and_errors_of_ours_lose_the_secrets_that_the_call_knew() -> None:
    def fetch(token: str) -> None: ...

    error = BashExitFailure(f"curl -H {SECRET} ended with 1", exit_code=1)
    _, written = witness.testify(error, ((f"got {SECRET}", 9), ("", 0)), fetch, (SECRET,), {})
    assert written is not None
    assert written[0][0] == "got <withheld>"
    assert SECRET not in str(error)
    assert error.exit_code == 1


def test_a_silent_success_is_not_looked_at() -> None:
    assert witness.testify(None, None, Hangs(), (Hangs(),), {}) == (None, None)


def test_pictures_run_no_code_of_the_values() -> None:
    class Table(dict[str, int]):
        def items(self) -> Any:
            raise AssertionError

        __len__ = __iter__ = items

    assert picture(Table(a=1)) == "Table({'a': 1})"
    assert picture([Hangs(), 10**5000]) == f"[<{__name__}.Hangs>, <int of 16610 bits>]"
    assert picture("abc" * 10_000).endswith("(30,000 in all)")
    assert picture({"a": {"b": {"c": {"d": {"e": 1}}}}}).count("{") == 4
    assert picture(3, "password") == "<withheld>"


def test_only_what_pickles_without_code_of_a_user_is_safe() -> None:
    assert is_safe({"a": [1, (2.0, "x")], "p": Point(1)}) is False, "it has an attribute called password"
    assert is_safe([np.arange(3), ValueError("x"), {1, 2}])
    assert not is_safe([Hangs()])
    assert not is_safe({"token": "x"})
    assert not is_safe(list(range(100_000)))
