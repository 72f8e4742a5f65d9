from nbflow.core.states import State
from nbflow.journal.standing import Standing


def test_only_the_last_state_of_a_task_counts() -> None:
    standing = Standing()
    standing.apply([(1, 1, State.QUEUED), (2, 2, State.QUEUED), (3, 1, State.RUNNING)])
    assert standing.counts() == {State.QUEUED: 1, State.RUNNING: 1}
    standing.apply([(4, 1, State.DONE), (5, 100_000, State.FAILED)])
    assert standing.counts() == {State.QUEUED: 1, State.DONE: 1, State.FAILED: 1}
    assert standing.seq == 5


def test_a_state_without_tasks_counts_nothing() -> None:
    assert Standing().counts()[State.DONE] == 0
