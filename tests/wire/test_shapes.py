"""Taking apart and building again."""

import linecache

from nbflow.wire import shapes


def test_an_empty_closure_variable_stays_empty(peer):
    def outer():
        def inner():
            return late

        if False:
            late = 1
        return inner

    error = peer.outcome(outer()).error
    assert isinstance(error, NameError)


def test_source_of_a_cell_goes_along(notebook):
    notebook.cell("def f(): pass")
    fn = notebook["f"]
    state = shapes.function_state(fn, {}, [], None, None)
    filename = fn.__code__.co_filename
    del linecache.cache[filename]
    make, args = shapes.function_maker(fn)
    shapes.fill_function(make(*args), state)
    assert linecache.getlines(filename) == ["def f(): pass"]


def test_class_state_leaves_out_what_python_makes():
    class C:
        __slots__ = ("x",)
        limit = 3

    _, _, attributes = shapes.class_state(C)
    assert attributes == {"limit": 3}
