from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import ARGUMENT, AppRow, EdgeRow, TaskRow
from nbflow.live.model import SPAWNED, RunModel


def task(number: int, *, app: int = 1, state: State = State.QUEUED, spawner: int | None = None) -> TaskRow:
    return TaskRow(number, number, 100.0 + number, app, "", f"f({number})", state, spawner, None)


def test_states_are_counted() -> None:
    model = RunModel()
    model.add_tasks([task(1), task(2), task(3, app=2, state=State.WAITING)])
    model.add_changes([StateChange(1, State.RUNNING, 110.0, None), StateChange(1, State.DONE, 111.5, 1.25)])
    summary = model.summary()
    assert (summary[State.DONE], summary[State.QUEUED], summary[State.WAITING]) == (1, 1, 1)
    assert (summary.total, summary.finished, summary.left) == (3, 1, 2)
    assert model.summary([2, 3, 99]).total == 2
    assert (model.started[1], model.seconds[1]) == (110.0, 1.25)
    assert (model.began, model.latest) == (101.0, 111.5)


def test_a_retry_takes_a_task_out_of_the_finished() -> None:
    model = RunModel()
    model.add_tasks([task(1)])
    model.add_changes([StateChange(1, State.FAILED, 1.0, None)])
    assert model.summary().finished == 1
    model.add_changes([StateChange(1, State.QUEUED, 2.0, None)])
    assert model.summary().finished == 0
    assert model.summary()[State.FAILED] == 0


def test_drain_tells_each_change_once() -> None:
    model = RunModel()
    model.add_apps([AppRow(1, "f", "python", "m", None, None)])
    model.add_tasks([task(1), task(2, spawner=1)])
    model.add_edges([EdgeRow(1, 2, ARGUMENT)])
    model.add_changes([StateChange(1, State.RUNNING, 1.0, None), StateChange(1, State.DONE, 2.0, 1.0)])
    changes = model.drain()
    assert list(changes.tasks) == [1, 2]
    assert list(changes.edges) == [EdgeRow(1, 2, SPAWNED), EdgeRow(1, 2, ARGUMENT)]
    assert list(changes.states) == [1]
    assert not model.drain()
    assert list(model.everything().tasks) == [1, 2]


def test_what_was_never_submitted_is_skipped() -> None:
    model = RunModel()
    model.add_tasks([task(5)])
    model.add_tasks([task(5)])
    model.add_changes([StateChange(2, State.DONE, 1.0, None), StateChange(99, State.DONE, 1.0, None)])
    assert model.summary().total == 1
    assert model.summary()[State.DONE] == 0


def test_an_empty_run_counts_nothing() -> None:
    assert RunModel().summary().total == 0
    assert RunModel().app_name(7) == "app 7"


def test_an_app_that_is_defined_anew_stays_one_app() -> None:
    model = RunModel()
    names = {1: "train", 2: "train", 3: "score"}
    model.add_apps(AppRow(app, name, "python", "__main__", None, None) for app, name in names.items())
    model.add_tasks(task(app, app=app, state=State.DONE) for app in names)
    assert list(model.app_of[1:4]) == [1, 1, 3]
    assert model.by_app[1][State.DONE] == 2
