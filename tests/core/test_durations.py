import pytest

from nbflow.core.durations import in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0123, "12 ms"),
        (0.25, "0.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (1500, "25 min"),
        (7800, "2 h 10 min"),
        (7200, "2 h"),
    ],
)
def test_durations_are_for_people(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
