"""Arguments and results of all kinds, there and back; and those that misbehave."""

import hashlib
import sys
import threading

import numpy as np
import pytest

from nbflow.errors import NotPicklable, NotReadable
from nbflow.wire.values import Definitions, decode, encode, is_plain

CLASSES = """
import abc, dataclasses, enum, functools, typing

@dataclasses.dataclass
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int = 1

class Color(enum.Enum):
    RED = 1
    BLUE = 'b'
    def shout(self): return self.name + '!'

class Flags(enum.IntFlag):
    A = 1
    B = 2

class Pair(typing.NamedTuple):
    a: int
    b: int = 4

class Options(typing.TypedDict):
    depth: int

class Base(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

class Square(Base):
    __slots__ = ('side',)
    def __init__(self, side):
        super().__init__()
        self.side = side
    def area(self): return self.side ** 2
    @functools.cached_property
    def twice(self): return 2 * self.side
    @property
    def half(self): return self.side / 2

T = typing.TypeVar('T')

class Box(typing.Generic[T]):
    def put(self, item: T) -> 'Box[T]':
        self.item = item
        return self
"""


def there_and_back(value):
    encoded = encode(value, what="value")
    return decode(encoded.data, encoded.buffers, Definitions())


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", b"b", (), (1, ("a", None))])
def test_plain(value):
    assert is_plain(value)


@pytest.mark.parametrize(
    "value", [[1], {}, np.int64(1), "a" * 100_000, tuple(range(100)), ([],), type("I", (int,), {})(1)]
)
def test_not_plain(value):
    assert not is_plain(value)


def test_large_arrays_travel_out_of_band():
    array = np.arange(1 << 18)
    encoded = encode({"a": array, "b": array[::2], "c": array[:10]}, what="value")
    assert [len(buffer) for buffer in encoded.buffers] == [array.nbytes]
    back = decode(encoded.data, encoded.buffers, Definitions())
    assert (back["a"] == array).all()
    assert (back["b"] == array[::2]).all()


def test_self_referential_B4():
    value = [1]
    value.append(value)
    back = there_and_back(value)
    assert back[1] is back


def test_B4_unpicklable_names_the_path():
    class Model:
        def __init__(self):
            self.lock = threading.Lock()

    with pytest.raises(NotPicklable) as caught:
        encode(([{"model": Model()}], {}), what=("args", "kwargs"))
    assert caught.value.path == "args[0]['model'].lock"
    with pytest.raises(NotPicklable) as caught:
        encode(((), {"log": open("/dev/null")}), what=("args", "kwargs"))  # noqa: PTH123, SIM115
    assert caught.value.path == "kwargs['log']"
    assert "pass its path" in str(caught.value)


class Raising:
    def __reduce__(self):
        raise OSError("no")


class SlotsWithoutState:
    __slots__ = ("lock",)

    def __init__(self):
        self.lock = threading.Lock()


class RaisingBack:
    def __reduce__(self):
        return raise_it, ()


class RaisingState:
    def __getstate__(self):
        return {"a": 1}

    def __setstate__(self, state):
        raise KeyError("state")


def raise_it():
    raise ZeroDivisionError("there")


class Dying:
    def __del__(self):
        raise ValueError("del")


def test_B4_reduce_raising():
    with pytest.raises(NotPicklable, match="OSError: no") as caught:
        encode({"a": Raising()}, what="result")
    assert caught.value.path == "result['a']"
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("value", [threading.Lock(), hashlib.sha256(), SlotsWithoutState()])
def test_what_picklers_refuse_is_told_once(value):
    with pytest.raises(NotPicklable) as caught:
        encode(value, what="result")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("value", [RaisingBack(), RaisingState()])
def test_B4_reading_raises(value):
    with pytest.raises(NotReadable, match=r"ZeroDivisionError|KeyError"):
        there_and_back(value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_B4_del_raising():
    assert isinstance(there_and_back([Dying()])[0], Dying)


def test_B4_nested_too_deeply():
    value = []
    for _ in range(sys.getrecursionlimit() * 50):
        value = [value]
    with pytest.raises(NotPicklable, match="too deeply"):
        encode(value, what="args")


def test_B4_missing_module():
    encoded = encode(1, what="a")
    with pytest.raises(NotReadable, match="'missing_here' is missing"):
        decode(b"cmissing_here\nThing\n.", encoded.buffers, Definitions())


def test_B4_damaged_bytes():
    for data in (b"", b"\x80", b"garbage", encode([1] * 99, what="a").data[:-5]):
        with pytest.raises(NotReadable):
            decode(data, (), Definitions())


def test_classes_of_a_notebook_there_and_back(notebook, peer):
    notebook.cell(CLASSES)
    notebook.cell(
        "def f(*values):\n"
        "    assert isinstance(values[0], Point) and values[2] is Color.RED\n"
        "    assert values[2].shout() == 'RED!' and Color('b') is Color.BLUE and values[4].twice == 6\n"
        "    assert values[4].half == 1.5 and Box[int]().put(1).item == 1 and Pair(1).b == 4\n"
        "    assert Options(depth=1) == {'depth': 1} and Flags.A | Flags.B == 3\n"
        "    try: Base()\n"
        "    except TypeError: return values\n"
    )
    Point, Square = notebook["Point"], notebook["Square"]
    values = (Point(1, [2]), notebook["Frozen"](3), notebook["Color"].RED, notebook["Pair"](1), Square(3))
    back = peer.run(notebook["f"], *values)
    assert back[:4] == values[:4]
    assert back[2] is values[2]
    assert isinstance(back[0], Point)
    assert isinstance(back[4], Square)
    assert back[4].area() == 9


def test_B4_class_redefined(notebook, peer):
    notebook.cell("class P:\n    v = 1\ndef f(p): return p, isinstance(p, P), P().v")
    old = notebook["P"]
    assert isinstance(peer.run(notebook["f"], old())[0], old)
    notebook.cell("class P:\n    v = 2")
    new = notebook["P"]
    back, is_instance, v = peer.run(notebook["f"], new())
    assert (type(back), is_instance, v) == (new, True, 2)
    back, is_instance, v = peer.run(notebook["f"], old())
    assert (type(back), is_instance, v) == (old, False, 2)


def test_functions_and_classes_as_values(peer):
    class Local:
        pass

    def f(x):
        return x

    back = peer.run(lambda values: values, [f, Local, len, lambda x: x + 1])
    assert back[0] is f
    assert back[1] is Local
    assert back[2] is len
    assert back[3](1) == 2


def test_what_a_worker_defines_comes_back(notebook, peer):
    notebook.cell(
        "def f(n):\n    class Made:\n        def m(self): return n\n    return Made(), lambda x: x + n"
    )
    made, fn = peer.run(notebook["f"], 5)
    assert made.m() == 5
    assert fn(1) == 6
    assert peer.run(fn, 2) == 7


def test_generator_functions(notebook, peer):
    notebook.cell("def numbers(n):\n    yield from range(n)\ndef f(n): return list(numbers(n))")
    assert peer.run(notebook["f"], 3) == [0, 1, 2]


def test_arrays_come_back_writable(peer):
    back = peer.run(lambda a: a * 2, np.ones(1 << 18))
    back[0] = 7
    assert back[1] == 2


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, LookupError])
def test_whatever_a_values_own_code_raises_becomes_an_error_of_its_call(kind):
    class Sealed:
        def __reduce__(self):
            raise kind("sealed")

    class Poisoned:
        def __setstate__(self, state):
            raise kind("poison")

        def __getstate__(self):
            return {"some": "state"}

    with pytest.raises(NotPicklable, match="sealed"):
        encode(Sealed(), what="result")
    encoded = encode(Poisoned(), what="result", known=Definitions())
    with pytest.raises(NotReadable, match="poison"):
        decode(encoded.data, encoded.buffers, Definitions())


def test_what_raises_as_it_is_looked_at_is_refused_as_a_whole():
    class Shy:
        __slots__ = ("part",)

        def __reduce__(self):
            raise LookupError("shy")

        def __getattribute__(self, name):
            if name == "part":
                raise RuntimeError("do not look")
            return super().__getattribute__(name)

    with pytest.raises(NotPicklable, match="shy"):
        encode([Shy()], what="args")
