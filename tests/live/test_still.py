from typing import Any

import pytest
from IPython.display import DisplayHandle

from nbflow.live.still import RENEWAL_SECONDS, Still


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(DisplayHandle, "display", lambda self, bundle, raw: shown.append(bundle))
    monkeypatch.setattr(DisplayHandle, "update", lambda self, bundle, raw: shown.append(bundle))
    return shown


def test_a_picture_is_renewed_seldom_and_at_the_end(shown: list[dict[str, Any]]) -> None:
    still = Still()
    still.display()
    still.renew("<p>1</p>", "one", now=100, is_final=True)
    assert not still.is_due(now=101, is_final=False)
    assert still.is_due(now=101, is_final=True)
    assert still.is_due(now=100 + RENEWAL_SECONDS, is_final=False)
    assert [bundle["text/plain"] for bundle in shown] == ["", "one"]


def test_the_same_picture_is_not_sent_twice(shown: list[dict[str, Any]]) -> None:
    still = Still()
    still.display()
    still.renew("<p>1</p>", "one", now=100, is_final=True)
    still.renew("<p>1</p>", "one", now=200, is_final=True)
    assert len(shown) == 2


def test_without_a_place_nothing_is_due() -> None:
    assert not Still().is_due(now=1, is_final=True)


def test_a_picture_of_an_unfinished_run_says_of_when_it_is(shown: list[dict[str, Any]]) -> None:
    still = Still()
    still.display()
    still.renew("<p>1</p>", "one", now=0, is_final=False)
    assert "as of" in shown[-1]["text/html"]
    assert "19" in shown[-1]["text/plain"]


def test_every_cell_that_shows_the_view_has_its_picture(shown: list[dict[str, Any]]) -> None:
    still = Still()
    still.display()
    still.renew("<p>1</p>", "one", now=100, is_final=True)
    still.display()
    still.renew("<p>2</p>", "two", now=200, is_final=True)
    assert [bundle["text/plain"] for bundle in shown] == ["", "one", "one", "two", "two"]
