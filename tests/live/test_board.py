import json
from collections.abc import Iterator

import pytest

from nbflow.core.states import State
from nbflow.live.board import MOST_FAILURES, MOST_RUNNING, BoardKeeper

from .sample import SampleRun


@pytest.fixture
def keeper(run: SampleRun) -> Iterator[BoardKeeper]:
    with BoardKeeper(run.address) as keeper:
        yield keeper


def test_an_empty_run_has_an_empty_board(keeper: BoardKeeper) -> None:
    board = keeper.look()
    assert (board.headline.summary.total, board.is_over) == (0, False)
    assert [*board.apps, *board.running, *board.failures] == []


def test_apps_running_tasks_and_failures_are_told(run: SampleRun, keeper: BoardKeeper) -> None:
    first, second, third = run.submit("f"), run.submit("f"), run.submit("g")
    run.start(first)
    run.fail(third)
    run.publish()
    board = keeper.look()
    assert {app.name: app.summary.total for app in board.apps} == {"f": 2, "g": 1}
    assert [(line.task, line.call) for line in board.running] == [(first, f"f({first})")]
    assert [line.task for line in board.failures] == [third]
    assert "ValueError" in board.failures[0].why
    values = json.loads(json.dumps(board.to_values()))
    assert values["tasks"] == {"queued": 1, "running": 1, "failed": 1}
    assert values["apps"]["g"] == {"failed": 1}
    run.finish(first)
    run.finish(second)
    run.publish()
    assert keeper.look().headline.summary[State.DONE] == 2


def test_only_the_newest_failures_and_the_oldest_running_tasks_are_told(
    run: SampleRun, keeper: BoardKeeper
) -> None:
    tasks = [run.submit("f") for _ in range(40)]
    for task in tasks[:20]:
        run.fail(task)
    for task in tasks[20:]:
        run.start(task)
    run.publish()
    board = keeper.look()
    assert [line.task for line in board.failures] == tasks[19 : 19 - MOST_FAILURES : -1]
    assert [line.task for line in board.running] == tasks[20 : 20 + MOST_RUNNING]


def test_a_failure_that_is_mended_goes(run: SampleRun, keeper: BoardKeeper) -> None:
    task, other = run.submit("f"), run.submit("f")
    run.fail(task)
    run.fail(other)
    run.publish()
    keeper.look()
    run.finish(task)
    run.publish()
    assert [line.task for line in keeper.look().failures] == [other]


def test_the_end_is_seen(run: SampleRun, keeper: BoardKeeper) -> None:
    run.submit("f")
    run.close()
    assert keeper.look().is_over
