from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import ARGUMENT, JOIN_CHILD, EdgeRow, TaskRow
from nbflow.live.model import RunModel
from nbflow.live.scene import MOST_MARKS, Mark, Scene


def add(model: RunModel, *tasks: tuple[int, int], spawner: int | None = None) -> None:
    """Add tasks given as (task, app)."""
    model.add_tasks(
        TaskRow(task, task, 0.0, app, "", f"call {task}", State.WAITING, spawner, None) for task, app in tasks
    )


def test_a_scene_grows_with_the_run() -> None:
    model = RunModel()
    scene = Scene(model)
    add(model, (1, 1), (2, 2))
    model.add_edges([EdgeRow(1, 2, ARGUMENT)])
    first = scene.follow(model.drain())
    assert first.is_new
    assert [mark.task for mark in first.marks] == [1, 2]
    assert list(first.edges) == [(0, 1)]
    add(model, (3, 2))
    model.add_edges([EdgeRow(1, 3, ARGUMENT)])
    model.add_changes([StateChange(1, State.DONE, 1.0, 0.5)])
    second = scene.follow(model.drain())
    assert not second.is_new
    assert list(second.marks) == [Mark(3, 2)]
    assert list(second.edges) == [(0, 2)]
    assert list(second.touched) == [0]
    assert second.arrangement is not None


def test_a_new_state_moves_nothing() -> None:
    model = RunModel()
    scene = Scene(model)
    add(model, (1, 1))
    scene.follow(model.drain())
    model.add_changes([StateChange(1, State.RUNNING, 1.0, None)])
    update = scene.follow(model.drain())
    assert list(update.touched) == [0]
    assert update.arrangement is None
    assert not scene.follow(model.drain())


def test_too_many_tasks_are_folded_by_app() -> None:
    model = RunModel()
    scene = Scene(model, fold_above=4)
    add(model, (1, 1), (2, 1), (3, 2), (4, 2))
    model.add_edges([EdgeRow(1, 3, ARGUMENT), EdgeRow(2, 4, ARGUMENT)])
    assert len(scene.follow(model.drain()).marks) == 4
    add(model, (5, 2))
    folded = scene.follow(model.drain())
    assert folded.is_new
    assert scene.is_folded
    assert list(folded.marks) == [Mark(0, 1), Mark(0, 2)]
    assert list(folded.edges) == [(0, 1)]
    model.add_changes([StateChange(5, State.DONE, 1.0, None)])
    update = scene.follow(model.drain())
    assert list(update.touched) == [1]
    counts = scene.card_counts(update.touched)[1]
    assert (counts[State.DONE], counts[State.WAITING]) == (1, 2)


def test_a_card_opens_and_closes() -> None:
    model = RunModel()
    scene = Scene(model, fold_above=1)
    add(model, (1, 1), (2, 1), (3, 2))
    scene.follow(model.drain())
    scene.toggle(1)
    assert [mark.task for mark in scene.whole().marks] == [1, 2, 0]
    scene.toggle(1)
    assert [mark.task for mark in scene.whole().marks] == [0, 0]


def test_a_card_with_too_many_tasks_stays_closed() -> None:
    model = RunModel()
    scene = Scene(model, fold_above=1)
    add(model, *((task, 1) for task in range(1, MOST_MARKS + 2)))
    scene.follow(model.drain())
    assert not scene.can_toggle(1)
    scene.toggle(1)
    assert scene.opened == frozenset()


def test_only_wanted_tasks_and_what_they_need_are_shown() -> None:
    model = RunModel()
    scene = Scene(model, wanted=[3])
    add(model, (1, 1), (2, 1), (3, 2))
    model.add_edges([EdgeRow(1, 3, ARGUMENT)])
    assert [mark.task for mark in scene.follow(model.drain()).marks] == [1, 3]
    model.add_changes([StateChange(2, State.DONE, 1.0, None)])
    assert not scene.follow(model.drain())


def test_a_join_stands_between_its_argument_and_its_offspring() -> None:
    model = RunModel()
    scene = Scene(model)
    add(model, (1, 1), (2, 2), (3, 3))
    model.add_edges([EdgeRow(1, 2, ARGUMENT), EdgeRow(2, 3, ARGUMENT)])
    scene.follow(model.drain())
    add(model, (4, 4), spawner=2)
    model.add_edges([EdgeRow(2, 4, JOIN_CHILD)])
    update = scene.follow(model.drain())
    x = scene.arrangement.x
    assert x[0] < x[1] < x[3] < x[2]
    assert list(update.edges) == [(1, 3)]


def test_a_join_that_returns_older_tasks_comes_after_them() -> None:
    model = RunModel()
    scene = Scene(model)
    add(model, (1, 1), (2, 2))
    model.add_edges([EdgeRow(2, 1, JOIN_CHILD)])
    update = scene.follow(model.drain())
    assert list(update.edges) == [(0, 1)]
    assert scene.arrangement.x[0] < scene.arrangement.x[1]
