import json

import pytest

from nbflow.journal.rows import MAX_MESSAGE_LENGTH, MAX_TRACEBACK_LENGTH, Detail, seconds_detail


@pytest.mark.parametrize(
    "detail",
    [
        Detail(),
        Detail(slot="threads/1"),
        Detail(cause="raised", error="KeyError", message="'ä\udc80'", root=3),
    ],
)
def test_a_detail_survives_json(detail: Detail) -> None:
    assert Detail.from_json(detail.to_json()) == detail


def test_no_text_is_an_empty_detail() -> None:
    assert Detail.from_json(None) == Detail()


def test_keys_of_a_newer_version_are_skipped() -> None:
    assert Detail.from_json('{"slot":"a/1","colour":"red"}') == Detail(slot="a/1")


def test_long_texts_are_bounded_and_a_traceback_keeps_its_end() -> None:
    text = Detail(message="m" * 10**6, traceback="t" * 10**6 + "ValueError").to_json()
    told = json.loads(text)
    assert told["message"].startswith("mmm")
    assert len(told["message"]) <= MAX_MESSAGE_LENGTH + 4
    assert told["traceback"].endswith("tValueError")
    assert len(told["traceback"]) <= MAX_TRACEBACK_LENGTH + 4


def test_the_short_way_says_the_same() -> None:
    assert Detail.from_json(seconds_detail(0.25)) == Detail(seconds=0.25)
