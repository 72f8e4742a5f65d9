"""What a callable reaches, and what a watch sees."""

from nbflow.wire.reach import survey


def reached(fn):
    parts, watch = survey(fn, fn.__name__, lambda thing: None)
    return [part.thing for part in parts.values()], watch


def test_only_what_is_referred_to_is_reached(notebook):
    notebook.cell(
        "used = [1]\nunused = [2]\nlock = 5\nclass C: pass\ndef g(): C\n"
        "def f(x): return used, x.lock, g, x.unused"
    )
    things, _ = reached(notebook["f"])
    assert things == [notebook["f"], notebook["used"], notebook["g"], notebook["C"]]


def test_nested_functions_and_comprehensions_are_looked_into(notebook):
    notebook.cell("a = [1]\nb = [2]\ndef f():\n    def inner(): return [b for _ in a]\n    return inner")
    things, _ = reached(notebook["f"])
    assert notebook["a"] in things
    assert notebook["b"] in things


def test_a_watch_sees_names_come_and_go(notebook):
    notebook.cell("def f(): return later")
    _, watch = reached(notebook["f"])
    assert watch.holds()
    notebook.cell("later = 1")
    assert not watch.holds()


def test_a_watch_that_can_no_longer_look_says_no(notebook):
    notebook.cell("data = [1]\ndef f(): return data")
    _, watch = reached(notebook["f"])
    notebook["data"].append(open("/dev/null"))  # noqa: PTH123, SIM115
    assert not watch.holds()
