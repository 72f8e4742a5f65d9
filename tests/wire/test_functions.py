"""Versions of callables: what counts as a change, and that the other side gets what was meant."""

import functools
import math
import threading
from types import SimpleNamespace

import pytest

from nbflow.errors import NotPicklable
from nbflow.wire import functions
from nbflow.wire.functions import Portable, living, refresh


def version(portable: Portable) -> functions.Function:
    return portable.snapshot(encode=True)


def test_nothing_changed_is_the_same_function(notebook):
    notebook.cell("K = 3\ndef helper(x): return x + K\ndef f(x): return helper(x) * len([x])")
    portable = Portable(notebook["f"])
    assert version(portable) is version(portable)


@pytest.mark.parametrize(
    "change",
    [
        "K = 4",
        "T.append(1)",
        "D['a']['b'] = 2",
        "def helper(x): return x",
        "len = abs",
        "C.limit = 9",
        "C.names.append('x')",
        "point.x = 5",
        "f.__defaults__ = (9,)",
        "f.__code__ = (lambda x, y=1: x).__code__",
    ],
)
def test_a_change_of_what_is_reached_is_a_new_function(notebook, change):
    notebook.cell(
        "from types import SimpleNamespace\nK = 3\nT = []\nD = {'a': {}}\npoint = SimpleNamespace(x=1)\n"
        "class C:\n    limit = 1\n    names = []\n"
        "def helper(x): return x + K + len(T)\n"
        "def f(x, y=1): return helper(x), D, C, point\n"
    )
    portable = Portable(notebook["f"])
    before = version(portable)
    notebook.cell(change)
    after = version(portable)
    assert after is not before
    assert after.token != before.token
    assert version(portable) is after


def test_what_is_not_reached_may_change(notebook):
    notebook.cell("K = 3\nother = 1\ndef f(x): return x.other + K")
    portable = Portable(notebook["f"])
    before = version(portable)
    notebook.cell("other = 2\ndef g(): pass")
    assert version(portable) is before


def test_an_unchanged_helper_keeps_its_version(notebook):
    notebook.cell("K = 1\ndef helper(): return 1\ndef f(): return helper() + K")
    portable = Portable(notebook["f"])
    before = version(portable).definition().needs
    notebook.cell("K = 2")
    assert version(portable).definition().needs == before


def test_a_change_deep_down_reaches_the_top_of_a_cycle(notebook):
    notebook.cell("K = 1\ndef a(n): return b(n - 1) if n else K\ndef b(n): return a(n)")
    a, b = Portable(notebook["a"]), Portable(notebook["b"])
    before = version(a), version(b)
    notebook.cell("K = 2")
    assert version(a) is not before[0]
    assert version(b) is not before[1]


def test_closure_variables_are_watched():
    n = 1

    def f():
        return n

    portable = Portable(f)
    before = version(portable)
    n = 2
    assert version(portable) is not before


def test_large_values_are_compared_at_a_refresh(notebook):
    notebook.cell("data = ['x'] * 100_000\ndef f(): return len(data)")
    portable = Portable(notebook["f"])
    before = version(portable)
    notebook["data"].append("y")
    assert version(portable) is before
    refresh()
    after = version(portable)
    assert after is not before
    refresh()
    assert version(portable) is after


def test_without_encoding_it_is_the_living_callable():
    lock = threading.Lock()

    def f():
        return lock

    live = Portable(f).snapshot(encode=False)
    assert live.fn is f
    with pytest.raises(NotPicklable):
        live.definition()


def test_a_live_function_can_be_defined_later(peer):
    from nbflow.wire.messages import PYTHON, Call

    live = Portable(lambda x: x + 1).snapshot(encode=False)
    assert peer.outcomes(Call(1, 1, live, lambda: ((1,), {}), PYTHON))[0].value == 2


def test_a_snapshot_is_not_reached_by_later_changes(notebook, peer):
    from nbflow.wire.messages import PYTHON, Call

    notebook.cell("K = 1\nL = [1]\ndef f(): return K, L")
    portable = Portable(notebook["f"])
    early = Call(1, 1, version(portable), lambda: ((), {}), PYTHON)
    notebook.cell("K = 2; L.append(2)")
    late = Call(2, 1, version(portable), lambda: ((), {}), PYTHON)
    assert [outcome.value for outcome in peer.outcomes(late, early)] == [(2, [1, 2]), (1, [1])]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("import threading\nlock = threading.Lock()\ndef train(): lock", "train.__globals__['lock']"),
        ("out = open('/dev/null')\ndef helper(): out\ndef train(): helper()", "helper.__globals__['out']"),
        ("g = {'a': [(i for i in ())]}\ndef train(): g", "train.__globals__['g']['a'][0]"),
        ("def outer(conn):\n    def train(): conn\n    return train\ntrain = outer(open('/dev/null'))",
         "outer.<locals>.train.__closure__['conn']"),
        ("def train(x=open('/dev/null')): x", "train.__defaults__[0]"),
        ("def train(*, x=open('/dev/null')): x", "train.__kwdefaults__['x']"),
        ("class Model:\n    log = open('/dev/null')\ndef train(): Model", "Model.log"),
    ],
)  # fmt: skip
def test_what_cannot_travel_is_named(notebook, source, path):
    notebook.cell(source)
    with pytest.raises(NotPicklable) as caught:
        version(Portable(notebook["train"]))
    assert caught.value.path.endswith(path.removeprefix("outer.<locals>."))
    assert "this process only" in str(caught.value)


def test_recursion_and_mutual_recursion(notebook, peer):
    notebook.cell(
        "def fact(n): return n * fact(n - 1) if n else 1\n"
        "def even(n): return n == 0 or odd(n - 1)\n"
        "def odd(n): return n != 0 and even(n - 1)\n"
    )
    assert peer.run(notebook["fact"], 5) == 120
    assert peer.run(notebook["even"], 10) is True


def test_callables_of_all_kinds(notebook, peer):
    notebook.cell(
        "import functools\n"
        "class Adder:\n"
        "    def __init__(self, n): self.n = n\n"
        "    def __call__(self, x): return x + self.n\n"
        "    def method(self, x): return x * self.n\n"
        "    @classmethod\n"
        "    def made(cls, x): return cls(x)(1)\n"
        "    @staticmethod\n"
        "    def same(x): return x\n"
        "def add(a, b): return a + b\n"
        "def twice(f):\n"
        "    @functools.wraps(f)\n"
        "    def wrapper(*args): return 2 * f(*args)\n"
        "    return wrapper\n"
        "@twice\n"
        "def wrapped(x): return x + 1\n"
        "@functools.lru_cache\n"
        "def cached(x): return x * 10\n"
        "@functools.singledispatch\n"
        "def kind(x): return 'other'\n"
        "@kind.register\n"
        "def _(x: int): return 'int'\n"
    )
    adder = notebook["Adder"](3)
    assert peer.run(adder, 1) == 4
    assert peer.run(adder.method, 2) == 6
    assert peer.run(notebook["Adder"].made, 4) == 5
    assert peer.run(notebook["Adder"].same, 4) == 4
    assert peer.run(functools.partial(notebook["add"], 1), 2) == 3
    assert peer.run(notebook["wrapped"], 1) == 4
    assert peer.run(notebook["cached"], 2) == 20
    assert peer.run(notebook["kind"], 2) == "int"
    assert peer.run(lambda x: [x], 1) == [1]
    assert peer.run(math.sqrt, 4) == 2.0
    assert peer.run(len, [1, 2]) == 2


def test_closures_and_their_own_recursion(peer):
    def make(n):
        def inner(x):
            return n if x == 0 else inner(x - 1)

        return inner

    assert peer.run(make(7), 3) == 7


def test_functions_that_share_a_list_share_it_there(notebook, peer):
    notebook.cell("log = []\ndef note(x): log.append(x)\ndef f(x):\n    note(x)\n    return log")
    assert peer.run(notebook["f"], 1) == [1]


def test_a_container_of_functions_that_refer_to_it(notebook, peer):
    notebook.cell(
        "table = {}\ndef one(): return len(table)\ntable['one'] = one\ndef f(): return table['one']()"
    )
    assert peer.run(notebook["f"]) == 1


def test_what_is_importable_goes_by_reference():
    small = version(Portable(math.sqrt)).definition().payload
    assert len(small) < 60
    assert version(Portable(functools.reduce)).definition().needs == ()


def test_a_decorated_function_of_a_module_is_found_inside_its_app(peer, tmp_path, monkeypatch):
    (tmp_path / "decorated_here.py").write_text(
        "class App:\n    def __init__(self, fn): self.fn = fn\n    def __call__(self): ...\n"
        "@App\ndef area(x): return x * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import decorated_here  # type: ignore[import-not-found]

    peer.run(lambda path: __import__("sys").path.append(path), str(tmp_path))
    assert peer.run(decorated_here.area.fn, 3) == 9
    assert b"decorated_here" in version(Portable(decorated_here.area.fn)).definition().payload


def test_living_names_what_somebody_holds():
    function = version(Portable(lambda: 1))
    assert living(function.token) is function.fn


def test_names():
    assert Portable(functools.partial(math.sqrt, 4)).snapshot(encode=False).name == "sqrt"
    assert Portable(SimpleNamespace()).snapshot(encode=False).name == "SimpleNamespace"
