from nbflow.core.states import State
from nbflow.journal.batch import Batch, Rows
from nbflow.journal.rows import AppRow, EdgeRow, EventRow, OutputRow


def event(seq: int) -> EventRow:
    return EventRow(seq, 0.0, 1, 1, "Returned", 10, None)


def test_taking_moves_the_rows_and_keeps_the_lists() -> None:
    batch = Batch()
    append = batch.events.append
    append(event(1))
    taken = batch.take()
    append(event(2))
    assert list(taken.events) == [event(1)]
    assert list(batch.events) == [event(2)]


def test_absorbing_keeps_the_order() -> None:
    first, second = Batch(), Batch()
    first.events.append(event(1))
    second.events.append(event(2))
    first.absorb(second)
    assert [row.seq for row in first.events] == [1, 2]
    assert not second


def test_trimming_drops_outputs_first_then_the_oldest_events() -> None:
    batch = Batch()
    batch.apps.append(AppRow(1, "f", "python", "m", None, None))
    batch.events += map(event, range(10))
    batch.edges.append(EdgeRow(1, 2, 0))
    batch.outputs += [OutputRow(1, 1, "stdout", "text", 4)] * 10
    assert batch.trim(6) == 16
    assert [row.seq for row in batch.events] == [6, 7, 8, 9]
    assert len(batch) == 6
    assert batch.trim(6) == 0


def test_apps_are_never_dropped() -> None:
    batch = Batch()
    batch.apps += [AppRow(app, "f", "python", "m", None, None) for app in range(5)]
    assert batch.trim(0) == 0


def test_mending_makes_every_value_fit() -> None:
    rows = Rows(lambda *values: values, 4)
    rows += [("fine", "lone \udc80", 2**70, -(2**63)), (1.5, None, object(), State.DONE)]
    rows.mend()
    assert list(rows) == [("fine", "lone \\udc80", str(2**70), -(2**63)), (1.5, None, "<object>", 10)]
