import pytest

from nbflow.cli.output import counted, took


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.1234, "0.123 s"), (59.94, "59.9 s"), (61, "1 min 01 s"), (3 * 3600 + 125, "3 h 02 min")],
)
def test_durations_are_for_people(seconds: float | None, words: str) -> None:
    assert took(seconds) == words


def test_nothing_is_counted_in_words() -> None:
    from collections import Counter

    assert counted(Counter()) == "no tasks"
