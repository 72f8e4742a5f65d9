"""What goes by reference, and what by value."""

import collections
import json
import types
from pathlib import Path

from nbflow.wire.references import address, fetch, module_name


def test_importable_things_have_an_address():
    assert address(json.dumps) == ("json", "dumps", False)
    assert address(collections.OrderedDict) == ("collections", "OrderedDict", False)
    assert address(Path.exists) == ("pathlib", "Path.exists", False)


def test_others_have_none(notebook):
    notebook.cell("def f(): pass")
    assert address(notebook["f"]) is None
    assert address(lambda: 1) is None

    def hidden():
        pass

    hidden.__module__, hidden.__qualname__ = "json", "dumps"
    assert address(hidden) is None


def test_the_function_inside_an_app_is_found(monkeypatch):
    class App:
        def __init__(self, fn):
            self.fn = fn

        def __call__(self):
            pass

    def area():
        pass

    area.__module__, area.__qualname__ = "json", "area"
    monkeypatch.setattr(json, "area", App(area), raising=False)
    assert address(area) == ("json", "area", True)
    assert fetch("json", "area") is area


def test_modules_made_by_hand_have_no_name():
    assert module_name(json) == "json"
    assert module_name(types.ModuleType("json")) is None
