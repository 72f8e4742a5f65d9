from nbflow.core.states import State
from nbflow.live.past import Past

from .sample import SampleRun


def test_any_moment_of_a_run_can_be_seen_again(run: SampleRun) -> None:
    first = run.submit("f", at=100.0)
    run.start(first, at=101.0)
    run.finish(first, at=103.0)
    second = run.submit("g", [first], at=104.0)
    run.start(second, at=104.5)
    run.finish(second, at=106.0)
    run.publish()
    past = Past(run.address)
    assert (past.began, past.ended) == (100.0, 106.0)
    for moment, counted in ((100.5, State.QUEUED), (102.0, State.RUNNING), (103.0, State.DONE)):
        assert past.at(moment).summary().counts[counted] == past.at(moment).summary().total == 1
    assert past.at(106.0).summary().counts[State.DONE] == 2
    back = past.at(101.5)
    assert (back.summary().total, back.summary()[State.RUNNING]) == (1, 1)


def test_a_run_without_tasks_has_a_past_too(run: SampleRun) -> None:
    assert Past(run.address).at(1.0).summary().total == 0
