"""Edits of a function and of all that it reaches, and whether its results still hold after each."""

import linecache
import textwrap
from itertools import count
from typing import Any

__all__ = ["BASE", "EDITS", "run_cell"]

HIT, MISS = True, False

_number = count(1).__next__


def run_cell(source: str, namespace: dict[str, Any]) -> None:
    """Run source as IPython does: a name of its own for each cell, which linecache knows."""
    text = textwrap.dedent(source)
    name = f"<cell {_number()}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), namespace)


BASE = """
import functools, math
import dataclasses
import numpy as np

SCALE = 3
TABLE = np.arange(5)
NAMES = {"a": [1, 2]}
UNRELATED = 1

def deepest(x):
    return x + 1

def helper(x):
    return deepest(x) * 2

@functools.lru_cache(maxsize=4)
def cached(x):
    return x

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

def unrelated(x):
    return x

@dataclasses.dataclass
class Point:
    x: int = 0

    def norm(self):
        return abs(self.x)

class Model(Point):
    RATE = 0.5

    def fit(self):
        return self.norm() * self.RATE

def decorate(factor):
    def wrap(fn):
        @functools.wraps(fn)
        def inner(*args):
            return fn(*args) * factor
        return inner
    return wrap

def make(offset):
    key = lambda v: v + 7
    half = functools.partial(helper, 1)
    def app(x, y=5, *, z=None):
        \"\"\"Say what it does.\"\"\"
        total = math.sin(x) + y  # a comment
        total += SCALE * TABLE.sum() + len(NAMES)
        if even(x):
            total -= helper(x) + cached(x) + offset
        return total + Model(x).fit() + key(x) + half() + scaled(x)
    return app

@decorate(2)
def scaled(x):
    return x

app = make(10)
"""

EDITS = {
    "nothing": ("", "", HIT),
    "comment": ("  # a comment", "  # another", HIT),
    "no comment": ("  # a comment", "", HIT),
    "docstring": ("Say what it does.", "Say otherwise.", HIT),
    "blank lines before": ("def make(", "\n\n\ndef make(", HIT),
    "line broken": ("math.sin(x) + y", "(\n            math.sin(x)\n            + y\n        )", HIT),
    "quotes": ('"a": [1, 2]', "'a': [1, 2]", HIT),
    "type hint of an argument": ("def app(x,", "def app(x: float,", HIT),
    "type hint of the result": ("z=None):", "z=None) -> float:", HIT),
    "type hint of a local": ("total = math", "total: float = math", HIT),
    "unrelated function": ("def unrelated(x):\n    return x", "def unrelated(x):\n    return 2", HIT),
    "unrelated global": ("UNRELATED = 1", "UNRELATED = 2", HIT),
    "unrelated global added": ("SCALE = 3", "SCALE = 3\nOTHER = 4", HIT),
    "order of definitions": ("SCALE = 3\nTABLE = np.arange(5)", "TABLE = np.arange(5)\nSCALE = 3", HIT),
    "comment in a helper": ("return deepest(x) * 2", "return deepest(x) * 2  # twice", HIT),
    "docstring of a class": ("class Model(Point):", 'class Model(Point):\n    """Fit."""', HIT),
    "moved method": (
        "    RATE = 0.5\n\n    def fit(self):\n        return self.norm() * self.RATE",
        "    def fit(self):\n        return self.norm() * self.RATE\n\n    RATE = 0.5",
        HIT,
    ),
    "renamed local": ("total", "result", MISS),  # documented
    "body": ("total -= helper(x)", "total += helper(x)", MISS),
    "constant in the body": ("v + 7", "v + 8", MISS),
    "type of a constant": ("v + 7", "v + 7.0", MISS),
    "sign of zero": ("return abs(self.x)", "return abs(self.x) * -0.0", MISS),
    "helper": ("return deepest(x) * 2", "return deepest(x) * 3", MISS),
    "helper of a helper": ("return x + 1", "return x + 2", MISS),
    "method": ("self.norm() * self.RATE", "self.norm() + self.RATE", MISS),
    "method of a base class": ("return abs(self.x)", "return self.x", MISS),
    "class constant": ("RATE = 0.5", "RATE = 0.25", MISS),
    "base class": ("class Model(Point)", "class Model(Point, metaclass=type('M', (type,), {}))", MISS),
    "field of a dataclass": ("x: int = 0", "x: int = 1", MISS),
    "option of a dataclass": ("@dataclasses.dataclass\n", "@dataclasses.dataclass(order=True)\n", MISS),
    "global constant": ("SCALE = 3", "SCALE = 4", MISS),
    "type of a global": ("SCALE = 3", "SCALE = 3.0", MISS),
    "array": ("np.arange(5)", "np.arange(6)", MISS),
    "type of an array": ("np.arange(5)", "np.arange(5, dtype='i2')", MISS),
    "inside a container": ("[1, 2]", "[1, 3]", MISS),
    "closure": ("make(10)", "make(11)", MISS),
    "default": ("y=5", "y=6", MISS),
    "default of a keyword": ("z=None", "z=0", MISS),
    "partial": ("functools.partial(helper, 1)", "functools.partial(helper, 2)", MISS),
    "function in a partial": ("functools.partial(helper, 1)", "functools.partial(deepest, 1)", MISS),
    "recursion": ("n == 0 or", "n == 2 or", MISS),
    "mutual recursion": ("n != 0 and", "n != 1 and", MISS),
    "C function": ("math.sin(x)", "math.cos(x)", MISS),
    "decorator's body": ("fn(*args) * factor", "fn(*args) + factor", MISS),
    "decorator's option": ("@decorate(2)", "@decorate(3)", MISS),
    "what a decorator wraps": ("def scaled(x):\n    return x", "def scaled(x):\n    return -x", MISS),
    "inside a cached helper": ("def cached(x):\n    return x", "def cached(x):\n    return -x", MISS),
    "global that shadows a builtin": ("SCALE = 3", "SCALE = 3\nlen = id", MISS),
}
