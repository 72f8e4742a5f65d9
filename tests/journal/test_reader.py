import pytest

from nbflow.core.states import State
from nbflow.errors import JournalError
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.rows import ARGUMENT, JOIN_CHILD, EdgeRow, EventRow, OutputRow
from nbflow.journal.runs import RunStatus
from nbflow.journal.writer import Journal

from .sample import FAILURE, START


def test_a_record_tells_how_a_task_stands(reader: Reader) -> None:
    record = reader.task(1)
    assert (record.app, record.call, record.state, record.try_id) == ("area", "area(100)", State.DONE, 1)
    assert (record.submitted, record.started, record.finished) == (START, START + 1, START + 2)
    assert (record.seconds, record.slot, record.origin) == (0.75, "processes/1", "flow.ipynb[3]")
    assert (record.error, record.why) == (None, "")


def test_a_retried_task_tells_of_its_last_try(reader: Reader) -> None:
    record = reader.task(2)
    assert (record.state, record.try_id, record.started) == (State.FAILED, 2, START + 4)
    assert (record.label, record.error, record.why) == ("second", "ValueError", "ValueError: negative")


def test_a_task_that_failed_through_another_names_it(reader: Reader) -> None:
    record = reader.task(3)
    assert (record.state, record.root, record.started) == (State.UPSTREAM_FAILED, 2, None)
    assert record.why == "task 2 failed: ValueError"


def test_a_task_that_waits_is_not_finished(reader: Reader) -> None:
    assert reader.task(4).finished is None
    assert reader.task(5).spawner == 4


def test_tasks_are_chosen_and_ordered(reader: Reader) -> None:
    assert [record.task for record in reader.tasks()] == [1, 2, 3, 4, 5]
    assert [record.task for record in reader.tasks(newest_first=True, limit=2)] == [5, 4]
    assert [record.task for record in reader.tasks(state="failed")] == [2]
    assert [record.task for record in reader.tasks(state="upstream-failed")] == [3]
    assert [record.task for record in reader.tasks(state=State.DONE, app="area")] == [1]
    assert [record.task for record in reader.tasks(app="sweep")] == [4]
    assert [record.task for record in reader.tasks(label="second")] == [2]


def test_tasks_are_counted_by_app_and_by_origin(reader: Reader) -> None:
    by_app = reader.counts_by("app")
    assert list(by_app) == ["area", "sweep"]
    assert by_app["sweep"] == {State.JOINING: 1}
    assert by_app["area"] == {State.DONE: 1, State.FAILED: 1, State.UPSTREAM_FAILED: 1, State.QUEUED: 1}
    assert reader.counts_by("origin")["flow.ipynb[3]"] == {State.DONE: 1}
    assert reader.made_at(2) == {None: [2, 3], "flow.ipynb[3]": [1]}


def test_a_wrong_state_is_refused_with_the_right_ones(reader: Reader) -> None:
    with pytest.raises(ValueError, match="'broken' is no state of a task; these are: new, waiting"):
        reader.tasks(state="broken")


def test_a_task_that_is_not_there_is_named(reader: Reader) -> None:
    with pytest.raises(JournalError, match="has no task 99"):
        reader.task(99)


def test_tries_tell_where_and_why(reader: Reader) -> None:
    first, second = reader.attempts(2)
    assert (first.try_id, first.end, first.detail) == (1, "TryFailed", FAILURE)
    assert (second.try_id, second.started, second.ended) == (2, START + 4, START + 5)
    assert reader.attempts(3) == []


def test_the_stream_has_submissions_and_events_in_order(reader: Reader) -> None:
    rows = reader.events()
    assert [row.seq for row in rows] == list(range(1, 16))
    assert rows[13] == EventRow(14, START + 6, 5, 1, "Submitted", State.QUEUED, None)
    assert [row.seq for row in reader.events(since=12, limit=2)] == [13, 14]
    assert reader.events(since=reader.last_seq()) == []


def test_the_history_of_a_task_begins_with_its_submission(reader: Reader) -> None:
    assert [row.event for row in reader.history(1)] == ["Submitted", "Dispatched", "Returned"]


def test_submissions_are_listed_apart(reader: Reader) -> None:
    assert [row.task for row in reader.submitted(since=3)] == [4, 5]


def test_counts_follow_what_happens(reader: Reader, sample: Journal) -> None:
    counts = reader.counts()
    assert counts == {
        State.DONE: 1,
        State.FAILED: 1,
        State.UPSTREAM_FAILED: 1,
        State.JOINING: 1,
        State.QUEUED: 1,
    }
    sample.events.append(EventRow(16, START + 7, 5, 1, "Dispatched", State.RUNNING, None))
    sample.commit()
    assert sample.flush()
    assert reader.counts()[State.RUNNING] == 1
    assert reader.counts()[State.QUEUED] == 0


def test_edges_are_read_once(reader: Reader) -> None:
    assert reader.edges() == [EdgeRow(2, 3, ARGUMENT), EdgeRow(4, 5, JOIN_CHILD)]
    assert reader.edges(since=1) == [EdgeRow(4, 5, JOIN_CHILD)]
    assert reader.edges_of(3) == [EdgeRow(2, 3, ARGUMENT)]


def test_apps_and_outputs_are_kept(reader: Reader) -> None:
    assert [app.name for app in reader.apps()] == ["area", "sweep"]
    assert reader.outputs(1) == [OutputRow(1, 1, "stdout", "hello\n", 6)]


def test_following_ends_with_the_run(sample: Journal) -> None:
    with open_run("last") as reader:
        sample.close("closed")
        assert [row.seq for row in reader.follow(since=10)] == [11, 12, 13, 14, 15]
        assert reader.info().status is RunStatus.ENDED
