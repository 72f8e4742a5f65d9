"""A small run written by hand: what each kind of task leaves in a journal."""

from nbflow.core.states import State
from nbflow.journal.rows import (
    ARGUMENT,
    JOIN_CHILD,
    AppRow,
    Detail,
    EdgeRow,
    EventRow,
    OutputRow,
    TaskRow,
    seconds_detail,
)
from nbflow.journal.writer import Journal

START = 1_700_000_000.0
TRACEBACK = 'Traceback (most recent call last):\n  File "flow.py", line 3, in area\nValueError: negative\n'
FAILURE = Detail(
    seconds=0.5, cause="raised", error="ValueError", message="ValueError: negative", traceback=TRACEBACK
)


def write_sample(run: str) -> Journal:
    """Write five tasks: done, failed at its second try, upstream failed, a join app that waits, its child."""
    journal = Journal.create(run)
    journal.apps += [
        AppRow(1, "area", "python", "flow", "def area(): ...", 3),
        AppRow(2, "sweep", "join", "flow", None, None),
    ]
    journal.tasks += [
        TaskRow(1, 1, START, 1, "", "area(100)", State.QUEUED, None, "flow.ipynb[3]"),
        TaskRow(2, 2, START, 1, "second", "area(-1)", State.QUEUED, None, None),
        TaskRow(3, 3, START, 1, "", "area(area#2)", State.WAITING, None, None),
        TaskRow(4, 4, START, 2, "", "sweep()", State.QUEUED, None, None),
    ]
    journal.edges.append(EdgeRow(2, 3, ARGUMENT))
    sent = Detail(slot="processes/1").to_json()
    journal.events += [
        EventRow(5, START + 1, 1, 1, "Dispatched", State.RUNNING, sent),
        EventRow(6, START + 2, 1, 1, "Returned", State.DONE, seconds_detail(0.75)),
        EventRow(7, START + 2, 2, 1, "Dispatched", State.RUNNING, sent),
        EventRow(8, START + 3, 2, 1, "TryFailed", State.BACKOFF, FAILURE.to_json()),
        EventRow(9, START + 3, 2, 2, "RetryDue", State.QUEUED, None),
        EventRow(10, START + 4, 2, 2, "Dispatched", State.RUNNING, sent),
        EventRow(11, START + 5, 2, 2, "TryFailed", State.FAILED, FAILURE.to_json()),
        EventRow(
            12,
            START + 5,
            3,
            1,
            "DepFailed",
            State.UPSTREAM_FAILED,
            Detail(root=2, error="ValueError").to_json(),
        ),
        EventRow(13, START + 5, 4, 1, "Dispatched", State.RUNNING, sent),
    ]
    journal.tasks.append(TaskRow(5, 14, START + 6, 1, "", "area(7)", State.QUEUED, 4, None))
    journal.edges.append(EdgeRow(4, 5, JOIN_CHILD))
    journal.events.append(EventRow(15, START + 6, 4, 1, "Spawned", State.JOINING, seconds_detail(0.25)))
    journal.outputs.append(OutputRow(1, 1, "stdout", "hello\n", 6))
    journal.commit()
    assert journal.flush()
    return journal
