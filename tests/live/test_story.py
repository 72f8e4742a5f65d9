from nbflow.core.states import State
from nbflow.journal.reader import open_run
from nbflow.journal.rows import Detail
from nbflow.live.model import RunModel
from nbflow.live.story import tell_task

from .sample import SampleRun


def test_a_done_task_has_no_failure(run: SampleRun) -> None:
    task = run.submit("f")
    run.happen(task, "TryFailed", State.BACKOFF, Detail(error="OSError", message="busy", seconds=0.1))
    run.start(task)
    run.finish(task, seconds=2.0)
    run.publish()
    with open_run(run.address) as reader:
        story = tell_task(reader, RunModel(), task)
    assert story["failure"] is None
    assert story["seconds"] == 2.0
    assert not story["can_retry"]


def test_a_blocked_task_leads_to_the_one_that_failed(run: SampleRun) -> None:
    first = run.submit("f")
    second = run.submit("g", [first])
    run.fail(first)
    run.block(second, root=first)
    run.publish()
    with open_run(run.address) as reader:
        story = tell_task(reader, RunModel(), second)
    assert story["failure"]["root"] == first
    assert not story["can_retry"]


def test_a_retry_by_hand_wipes_the_failure_out(run: SampleRun) -> None:
    task = run.submit("f")
    run.fail(task)
    run.happen(task, "RetryRequested", State.QUEUED)
    run.publish()
    with open_run(run.address) as reader:
        assert tell_task(reader, RunModel(), task)["failure"] is None
