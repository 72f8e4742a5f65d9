from array import array

from nbflow.core.states import State
from nbflow.journal.follower import StateChange
from nbflow.journal.rows import ARGUMENT, AppRow, EdgeRow, TaskRow
from nbflow.live.frames import encode
from nbflow.live.model import RunModel
from nbflow.live.scene import Scene


def model_of(count: int) -> RunModel:
    model = RunModel()
    model.add_apps([AppRow(1, "f", "python", "m", None, None)])
    model.add_tasks(
        TaskRow(task, task, 0.0, 1, "", f"f({task})", State.QUEUED, None, None)
        for task in range(1, count + 1)
    )
    return model


def test_the_first_frame_holds_everything() -> None:
    model = model_of(2)
    model.add_edges([EdgeRow(1, 2, ARGUMENT)])
    scene = Scene(model)
    content, buffers = encode(scene.follow(model.drain()), scene, model)
    assert content["is_new"]
    assert content["apps"] == {1: "f"}
    assert content["calls"] == ["f(1)", "f(2)"]
    assert len(content["blocks"]) == 2
    marks, edges, places, changed, states, started, seconds = buffers
    assert array("i", marks).tolist() == [1, 1, 2, 1]
    assert array("i", edges).tolist() == [0, 1]
    assert len(places) == 2 * 2 * 4
    assert array("i", changed).tolist() == [0, 1]
    assert list(states) == [State.QUEUED, State.QUEUED]
    assert (len(started), len(seconds)) == (2 * 8, 2 * 4)


def test_a_new_state_costs_a_few_bytes() -> None:
    model = model_of(500)
    scene = Scene(model)
    scene.follow(model.drain())
    model.add_changes([StateChange(7, State.DONE, 3.0, 0.5)])
    content, buffers = encode(scene.follow(model.drain()), scene, model)
    assert not content["is_new"]
    assert content["calls"] == []
    assert "blocks" not in content
    assert [len(buffer) for buffer in buffers] == [0, 0, 0, 4, 1, 8, 4]
    assert array("i", buffers[3]).tolist() == [6]


def test_cards_carry_their_counts() -> None:
    model = model_of(5)
    scene = Scene(model, fold_above=3)
    content, buffers = encode(scene.follow(model.drain()), scene, model)
    assert content["is_folded"]
    assert content["cards"][0][State.QUEUED] == 5
    assert array("i", buffers[0]).tolist() == [0, 1]
