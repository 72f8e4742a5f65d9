from nbflow.core.states import State
from nbflow.journal.attempts import Attempt, attempts
from nbflow.journal.rows import Detail, EventRow

SLOT = Detail(slot="a/1").to_json()


def event(
    seq: int, name: str, try_id: int = 1, state: State = State.RUNNING, detail: str | None = None
) -> EventRow:
    return EventRow(seq, float(seq), 1, try_id, name, state, detail)


def test_a_task_that_never_left_has_no_tries() -> None:
    assert attempts([event(1, "Submitted"), event(2, "DepFailed"), event(3, "CancelRequested")]) == []


def test_a_running_try_is_open() -> None:
    assert attempts([event(1, "Dispatched", detail=SLOT)]) == [Attempt(try_id=1, slot="a/1", started=1.0)]


def test_each_try_has_its_own_end() -> None:
    failed = Detail(cause="lost", error="WorkerLost")
    first, second = attempts(
        [
            event(1, "Dispatched", 1, detail=SLOT),
            event(2, "TryFailed", 1, State.BACKOFF, failed.to_json()),
            event(3, "RetryDue", 2),
            event(4, "Dispatched", 2, detail=SLOT),
            event(5, "Returned", 2, State.DONE, '{"seconds":0.5}'),
        ]
    )
    assert (first.end, first.ended, first.detail) == ("TryFailed", 2.0, failed)
    assert (second.end, second.slot, second.detail.seconds) == ("Returned", "a/1", 0.5)


def test_a_remembered_result_is_a_try_without_a_slot() -> None:
    (attempt,) = attempts([event(1, "MemoHit", state=State.DONE)])
    assert (attempt.slot, attempt.started, attempt.end) == (None, None, "MemoHit")


def test_cancelling_ends_a_running_try() -> None:
    (attempt,) = attempts(
        [event(1, "Dispatched", detail=SLOT), event(2, "CancelRequested", state=State.CANCELLED)]
    )
    assert (attempt.end, attempt.ended) == ("CancelRequested", 2.0)


def test_a_try_that_was_sent_ahead_of_a_parent_that_failed_never_started() -> None:
    history = [event(1, "Dispatched", detail=SLOT), event(2, "DepFailed", state=State.UPSTREAM_FAILED)]
    assert attempts(history) == []
