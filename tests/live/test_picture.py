from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import ARGUMENT, AppRow, EdgeRow, TaskRow
from nbflow.live.headline import Headline
from nbflow.live.model import RunModel
from nbflow.live.picture import draw_progress, draw_run
from nbflow.live.scene import FOLD_ABOVE, Scene

EVIL = "<script>alert(1)</script>"


def picture(count: int, *, app: str = "train") -> str:
    model = RunModel()
    model.add_apps([AppRow(1, app, "python", "m", None, None), AppRow(2, "score", "python", "m", None, None)])
    model.add_tasks(
        TaskRow(task, task, 0.0, 1 + task % 2, "", EVIL, State.QUEUED, None, None)
        for task in range(1, count + 1)
    )
    model.add_edges(EdgeRow(task, task + 1, ARGUMENT) for task in range(1, count, 2))
    model.add_changes([StateChange(1, State.FAILED, 1.0, None), StateChange(2, State.DONE, 1.0, 1.0)])
    scene = Scene(model)
    scene.follow(model.drain())
    return draw_run(scene, model, Headline(summary=model.summary()))


def test_a_picture_shows_states_in_words() -> None:
    html = picture(10)
    assert "1 of 10 tasks done" in html
    assert "failed" in html
    assert "<svg" in html
    assert "train" in html


def test_names_are_escaped() -> None:
    assert EVIL not in picture(4, app=EVIL)
    assert EVIL not in picture(FOLD_ABOVE + 1, app=EVIL)


def test_a_picture_is_small_whatever_the_run() -> None:
    assert len(picture(FOLD_ABOVE)) < 100_000
    assert len(picture(10_000)) < 100_000


def test_an_empty_run_is_a_line() -> None:
    assert draw_progress(Headline(summary=RunModel().summary())).startswith("<div")
