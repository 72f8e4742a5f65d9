from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import ARGUMENT, JOIN_CHILD, EdgeRow
from nbflow.live.critical import critical_path

from .test_frames import model_of


def test_the_path_goes_back_by_what_each_task_waited_for_longest() -> None:
    model = model_of(6)
    model.add_edges(EdgeRow(parent, 4, ARGUMENT) for parent in (1, 2, 3))
    model.add_edges([EdgeRow(4, 5, ARGUMENT)])
    ends = {1: 1.0, 2: 4.0, 3: 2.0, 4: 5.0, 5: 6.0}
    model.add_changes(StateChange(task, State.DONE, end, 1.0) for task, end in ends.items())
    assert critical_path(model) == [2, 4, 5]
    assert critical_path(model, {1, 4}) == [2, 4]


def test_a_join_waits_for_its_offspring_and_what_did_not_run_is_left_out() -> None:
    model = model_of(4)
    model.add_edges([EdgeRow(1, 2, JOIN_CHILD), EdgeRow(1, 3, JOIN_CHILD), EdgeRow(1, 4, ARGUMENT)])
    model.add_changes(StateChange(task, State.DONE, end, 1.0) for task, end in ((2, 2.0), (3, 3.0), (1, 3.5)))
    model.add_changes([StateChange(4, State.UPSTREAM_FAILED, 9.0, None)])
    assert critical_path(model) == [3, 1]


def test_before_anything_has_run_there_is_no_path() -> None:
    assert critical_path(model_of(3)) == []
