import datetime
import decimal
import enum
import itertools
import threading
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from nbflow.errors import NotMemoizable
from nbflow.wire.canonical import memo_key
from nbflow.wire.fingerprint import form_of


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    ONE = 1


@dataclass(frozen=True)
class Pair:
    left: Any
    right: Any = 0


Named = namedtuple("Named", "left right")


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value


class Kelvin(float):
    pass


@memo_key(Kelvin)
def kelvin_key(value: Kelvin) -> float:
    return float(value)


DIFFERENT: list[Any] = [
    None,
    ...,
    True,
    False,
    0,
    1,
    -1,
    2**70,
    1.0,
    0.0,
    -0.0,
    float("nan"),
    1j,
    "",
    "1",
    b"1",
    bytearray(b"1"),
    "a" * 1000,
    "a" * 1001,
    b"a" * 1000,
    "\ud800",
    (),
    (1,),
    [1],
    {1},
    frozenset({1}),
    {1: 1},
    [[1]],
    [1, [2]],
    [[1], 2],
    [[1, 2]],
    {"a": 1, "b": 2},
    {"b": 2, "a": 1},
    OrderedDict(a=1),
    Counter(a=1),
    defaultdict(int, a=1),
    defaultdict(list),
    deque([1]),
    deque([1], 5),
    range(3),
    range(4),
    slice(1),
    Colour.RED,
    Colour.BLUE,
    Level.ONE,
    Pair(1),
    Pair(1.0),
    Pair(1, 1),
    Named(1, 0),
    Plain(1),
    Plain(2),
    Kelvin(1),
    decimal.Decimal("1"),
    decimal.Decimal("1.0"),
    Fraction(1),
    datetime.date(2020, 1, 1),
    datetime.datetime(2020, 1, 1),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    datetime.timedelta(1),
    UUID(int=1),
    Path("a"),
    Path("b"),
    len,
    print,
    int,
    str,
    Pair,
    Colour,
    np.sin,
    np,
    np.arange(3),
    np.arange(3.0),
    np.arange(3, dtype="i4"),
    np.arange(3, dtype=">i8"),
    np.zeros((2, 3)),
    np.zeros((3, 2)),
    np.zeros(6),
    np.float64(1),
    np.float32(1),
    np.array(["a"]),
    np.array(["a"], dtype=object),
    np.array([1, "a"], dtype=object),
    np.dtype("i4"),
    np.datetime64("2020-01-01"),
    pd.Timestamp("2020"),
    pd.Timestamp("2020", tz="UTC"),
    pd.NA,
    pd.NaT,
    pd.Series([1, 2]),
    pd.Series([1, 2], name="x"),
    pd.Series([1, 2], index=[1, 2]),
    pd.Series(["a"]),
    pd.Series([1, None]),
    pd.DataFrame({"a": [1, 2]}),
    pd.DataFrame({"b": [1, 2]}),
    pd.DataFrame({"a": [1.0, 2]}),
    pd.DataFrame({"a": ["x", None]}),
    pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
    pd.DataFrame({"a": pd.Categorical(["x", "y"], ["y", "x"])}),
    pd.DataFrame({"a": pd.to_datetime(["2020", "2021"])}),
    pd.DataFrame({"a": pd.to_datetime(["2020", "2021"], utc=True)}),
    pd.Index([1]),
    pd.MultiIndex.from_tuples([(1, 2)]),
    pd.RangeIndex(3),
    pd.array([1, None], dtype="Int64"),
]


def test_no_two_different_values_read_alike() -> None:
    forms = [form_of(value) for value in DIFFERENT]
    alike = [
        (DIFFERENT[one], DIFFERENT[other])
        for one, other in itertools.combinations(range(len(forms)), 2)
        if forms[one] == forms[other]
    ]
    assert alike == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"b", "a", "c"}, {"c", "b", "a"}),
        ([[1], [1]], [[1]] * 2),
        (Pair([1, 2]), Pair([1, 2])),
        (Plain({"a": 1}), Plain({"a": 1})),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
        (pd.DataFrame({"a": [1, 2, 3]})[:2], pd.DataFrame({"a": [1, 2]})),
        (Path("a") / "b", Path("a/b")),
    ],
)
def test_equal_values_read_alike(one: Any, other: Any) -> None:
    assert form_of(one) == form_of(other)


def test_a_list_that_holds_itself_has_a_form() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [2]
    other.append(other)
    assert form_of(one) != form_of(other)


@pytest.mark.parametrize(
    "value",
    [
        threading.Lock(),
        object(),
        (n for n in ()),
        np.random.default_rng(1),
        type("S", (), {"__slots__": ()})(),
    ],
)
def test_what_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises(NotMemoizable, match=r"\['model'\]\[0\]\.left: a .* has no canonical form"):
        form_of({"model": [Pair(value)]})


def test_memo_key_takes_a_type() -> None:
    with pytest.raises(TypeError, match="give the type"):
        memo_key(3)  # type: ignore[arg-type]
