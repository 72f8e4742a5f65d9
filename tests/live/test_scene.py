from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import ARGUMENT, JOIN_CHILD, EdgeRow, FileRow, TaskRow
from nbflow.live.model import FILES, RunModel
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


def with_files() -> RunModel:
    """Return a run in which task 1 writes two files, and task 2 reads one of them, and one of its own."""
    model = RunModel()
    add(model, (1, 1), (2, 2), (3, 2))
    model.add_edges([EdgeRow(1, 2, ARGUMENT), EdgeRow(1, 3, ARGUMENT)])
    model.add_files([FileRow(1, "/data/a.csv", True), FileRow(1, "/data/b.csv", True)])
    model.add_files([FileRow(2, "/data/a.csv", False), FileRow(2, "/data/own.csv", False)])
    return model


def test_files_stand_between_who_writes_and_who_reads_them_when_they_are_asked_for() -> None:
    model = with_files()
    scene = Scene(model)
    assert [mark.task for mark in scene.whole().marks] == [1, 2, 3]
    scene.show_files(are_shown=True)
    update = scene.whole()
    assert [mark.task for mark in update.marks] == [1, -1, -2, -3, 2, 3]
    assert {mark.app for mark in update.marks if mark.task < 0} == {FILES}
    named = {(update.marks[a].task, update.marks[b].task) for a, b in update.edges}
    assert named == {(1, -1), (1, -2), (-1, 2), (-3, 2), (1, 3)}, (
        "what goes through a file has no edge beside it"
    )
    x = {mark.task: update.arrangement.x[number] for number, mark in enumerate(update.marks)}
    assert x[1] < x[-1] < x[2]
    scene.show_files(are_shown=False)
    assert [mark.task for mark in scene.whole().marks] == [1, 2, 3]


def test_a_file_stands_as_the_task_that_writes_it() -> None:
    model = with_files()
    scene = Scene(model)
    scene.show_files(are_shown=True)
    scene.whole()
    model.drain()
    assert [model.state(-number) for number in (1, 2, 3)] == [State.WAITING, State.WAITING, State.DONE]
    model.add_changes([StateChange(1, State.FAILED, 1.0, 0.5)])
    assert [scene.marks[mark].task for mark in scene.follow(model.drain()).touched] == [1, -1, -2]
    assert model.state(-1) == State.FAILED
    assert model.title(-3) == "own.csv"


def test_files_of_folded_tasks_are_folded_with_them() -> None:
    model = with_files()
    scene = Scene(model, fold_above=2)
    scene.show_files(are_shown=True)
    assert [mark.task for mark in scene.whole().marks] == [0, 0]
    scene.toggle(1)
    assert [mark.task for mark in scene.whole().marks] == [1, -1, -2, 0]


def test_files_are_not_shown_where_they_would_be_too_many() -> None:
    model = RunModel()
    add(model, (1, 1))
    model.add_files(FileRow(1, str(number), True) for number in range(MOST_MARKS))
    scene = Scene(model)
    scene.show_files(are_shown=True)
    assert not scene.shows_files
