from collections.abc import Iterator

import pytest

import nbflow as nf
from nbflow.flow.futures.cards import card, plain_value


@pytest.fixture
def loaded() -> Iterator[object]:
    with nf.load("threads", workers=1) as loaded:
        yield loaded


def test_a_card_is_text_and_leaves_out_what_is_not_known() -> None:
    shown = card("<f>", [("error", "<b>no</b>"), ("about", "")])
    assert "&lt;f&gt;" in shown
    assert "&lt;b&gt;no&lt;/b&gt;" in shown
    assert "about" not in shown
    assert len(card("f", [("error", "x" * 10_000)])) < 1_000


def test_values_are_told_without_asking_them() -> None:
    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("nobody asked")

    assert [plain_value(value) for value in (3.5, None, "secret", Loud())] == [
        "3.5",
        "None",
        "<str>",
        "<Loud>",
    ]


def test_futures_apps_tasks_and_runs_have_static_html(loaded: object) -> None:
    @nf.python_app
    def invert(number: int) -> float:
        """Return one over a <number>."""
        return 1 / number

    half, never = invert(2), invert(0)
    nf.wait([half, never])
    assert "0.5" in half._repr_html_()
    assert "ZeroDivisionError" in never._repr_html_()
    assert "(number: int)" in invert._repr_html_()
    assert "one over a &lt;number&gt;" in invert._repr_html_()
    assert "task 2" in never.task._repr_html_()
    assert "1 failed" in loaded._repr_html_()  # type: ignore[attr-defined]
    for one in (half, never, invert, loaded):
        assert len(one._repr_html_()) < 2_000  # type: ignore[attr-defined]


def test_an_error_that_cannot_say_what_it_is_has_a_card(loaded: object) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    @nf.python_app
    def fail() -> None:
        raise Mute

    failed = fail()
    nf.wait([failed])
    assert "Mute: &lt;exception str() failed&gt;" in failed._repr_html_()
