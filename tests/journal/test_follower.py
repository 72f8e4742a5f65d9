from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.core.states import State
from nbflow.errors import JournalError
from nbflow.journal.follower import PACKED_ROWS, Follower, StateChange
from nbflow.journal.rows import ARGUMENT, AppRow, EdgeRow, EventRow, TaskRow, seconds_detail
from nbflow.journal.writer import Journal


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("NBFLOW_STATE_DIR", str(tmp_path))
    journal = Journal.create("followed")
    yield journal
    journal.close("closed")


def task(number: int) -> TaskRow:
    return TaskRow(number, number, 5.0, 1, "", "f('ä\n\"')", State.WAITING, None, None)


def publish(journal: Journal) -> None:
    journal.commit()
    assert journal.flush()


def test_each_row_is_news_once(journal: Journal) -> None:
    journal.apps.append(AppRow(1, "f", "python", "m", "long source", 3))
    journal.tasks.extend([task(1), task(2)])
    journal.edges.append(EdgeRow(1, 2, ARGUMENT))
    journal.events.append(EventRow(3, 6.5, 1, 1, "Returned", State.DONE, seconds_detail(0.25)))
    publish(journal)
    with Follower(journal.address) as follower:
        news = follower.news()
        assert news.apps == [AppRow(1, "f", "python", "m", None, 3)]
        assert news.tasks == [task(1), task(2)]
        assert news.edges == [EdgeRow(1, 2, ARGUMENT)]
        assert news.changes == [StateChange(1, State.DONE, 6.5, 0.25)]
        assert not follower.news()
        journal.events.append(EventRow(4, 7.0, 2, 1, "Dispatched", State.RUNNING, '{"slot":"a/1"}'))
        publish(journal)
        assert follower.news().changes == [StateChange(2, State.RUNNING, 7.0, None, "a/1")]


def test_many_rows_keep_their_order(journal: Journal) -> None:
    count = 2 * PACKED_ROWS + 10
    journal.tasks.extend(map(task, range(1, count + 1)))
    publish(journal)
    with Follower(journal.address) as follower:
        assert [row.task for row in follower.news().tasks] == list(range(1, count + 1))


def test_the_end_of_the_run_is_news(journal: Journal) -> None:
    publish(journal)
    with Follower(journal.address) as follower:
        assert not follower.news().is_over
        journal.close("closed")
        assert follower.news().is_over


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        Follower(tmp_path / "journal.sqlite")
