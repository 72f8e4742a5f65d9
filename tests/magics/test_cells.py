import inspect
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from nbflow.errors import AppTypeError
from nbflow.magics.cells import bash_source, define, python_source


def made(body: str, *inputs: str) -> Callable[..., Any]:
    return define("f", python_source("f", inputs, body), {})


def test_the_last_line_is_the_result() -> None:
    assert made("y = n * 2\ny + 1", "n")(3) == 7


def test_a_return_is_a_return() -> None:
    assert made("if n:\n    return 'yes'\nreturn 'no'", "n")(1) == "yes"


def test_a_body_without_a_value_returns_none() -> None:
    assert made("x = 1")() is None


def test_inputs_may_have_defaults() -> None:
    assert made("n + seed", "n", "seed=5")(1) == 6


def test_texts_of_several_lines_keep_their_shape() -> None:
    assert made('text = """a\n  b\nc"""\n# a comment\n\ntext')() == "a\n  b\nc"
    assert made('f"""{n}\n{n}"""', "n")(1) == "1\n1"


def test_a_last_line_may_have_several_statements_and_letters() -> None:
    assert made("é = 1; é + 1")() == 2


def test_the_source_is_known_to_tracebacks_and_inspect() -> None:
    function = made("x = 1\nx / zero", "zero")
    assert inspect.getsource(function) == "def f(zero):\n    x = 1\n    return x / zero\n"
    with pytest.raises(ZeroDivisionError) as caught:
        function(0)
    assert "return x / zero" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("body", ["", "   \n", "# nothing but a comment"])
def test_an_empty_body_is_refused(body: str) -> None:
    with pytest.raises(AppTypeError, match="empty"):
        python_source("f", [], body)
    if not body.strip():
        with pytest.raises(AppTypeError, match="empty"):
            bash_source("f", [], body)


@pytest.mark.parametrize(("name", "inputs"), [("1f", []), ("class", []), ("f", ["a b"]), ("f", ["n", "0=1"])])
def test_names_that_cannot_be_are_refused(name: str, inputs: list[str]) -> None:
    with pytest.raises(AppTypeError, match="cannot be a name"):
        python_source(name, inputs, "1")


def test_a_template_asks_for_its_parameters() -> None:
    function = define("f", bash_source("f", [], "\nbwa {ref} {reads} > {outputs[0]}\n"), {})
    assert str(inspect.signature(function)) == "(ref, reads, *, outputs=())"
    assert function("a b", "r.fq", outputs=["x"]) == "bwa 'a b' r.fq > x"


def test_inputs_give_the_order_and_the_defaults() -> None:
    function = define("f", bash_source("f", ["b", "a=1"], "echo {a} {b} ${HOME}"), {})
    assert function("x") == "echo 1 x ${HOME}"
