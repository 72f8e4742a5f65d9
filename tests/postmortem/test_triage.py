"""Failures fall into groups of one reason each, whatever differs between machines, cells and messages."""

import random

import pytest

from nbflow.core.states import Cause, State
from nbflow.journal.rows import Detail
from nbflow.journal.table import TaskRecord
from nbflow.postmortem.triage import Reason, group_failures, innermost_frame, reason_of

TRACEBACK = """Traceback (most recent call last):
  File "/tmp/ipykernel_{pid}/{cell}.py", line {line}, in train
    return fit(x)
  File "/home/{user}/model.py", line 7, in fit
    return np.log(x) / scale
  File "/home/{user}/env/lib/python3.11/site-packages/numpy/core.py", line 88, in log
    raise {error}
{error}: {message}
"""


def record(task: int, *, app: str = "train", root: int | None = None) -> TaskRecord:
    nothing = dict.fromkeys(
        (
            *("started", "finished", "seconds", "slot", "error", "message", "origin", "spawner"),
            *("notebook", "cell_id", "execution_count", "source_hash"),
        )
    )
    state = State.FAILED if root is None else State.UPSTREAM_FAILED
    return TaskRecord(
        task=task, app=app, label="", call="", state=state, try_id=1, submitted=0.0, root=root, **nothing
    )  # type: ignore[arg-type]


def raised(error: str, message: str, chance: random.Random) -> Detail:
    text = TRACEBACK.format(
        pid=chance.randrange(10**5),
        cell=chance.randrange(10**9),
        line=chance.randrange(1, 90),
        user=f"user{chance.randrange(9)}",
        error=error,
        message=message,
    )
    return Detail(cause=str(Cause.RAISED), error=error, message=f"{error}: {message}", traceback=text)


def injected(kind: int, chance: random.Random) -> tuple[Detail, Reason]:
    number = chance.randrange(10**6)
    match kind:
        case 0:
            return raised("ZeroDivisionError", f"float division of {number}", chance), Reason.USER_ERROR
        case 1:
            return (
                raised("ModuleNotFoundError", "No module named 'pysam.lib'", chance),
                Reason.MISSING_PACKAGE,
            )
        case 2:
            lost = f"its worker on node{number} was killed for want of memory"
            return Detail(cause=str(Cause.OOM), error="WorkerLost", message=lost), Reason.OUT_OF_MEMORY
        case 3:
            stopped = f"train (task {number}) was stopped: its walltime of 60 s ended"
            return Detail(cause=str(Cause.TIMEOUT), error="AppTimeout", message=stopped), Reason.WALLTIME
        case _:
            gone = f"[Errno 2] No such file or directory: '/data/sample{number}.bam'"
            return raised("FileNotFoundError", gone, chance), Reason.MISSING_FILE


def test_a_thousand_failures_of_five_kinds_are_five_groups_labelled_right() -> None:
    chance = random.Random(4)
    details, expected = {}, {}
    for task in range(1, 1001):
        details[task], expected[task] = injected(task % 5, chance)
    groups = group_failures([record(task) for task in details], details)
    assert len(groups) == 5
    right = sum(expected[task] is group.reason for group in groups for task in group.numbers)
    assert right >= 950


def test_the_group_that_stops_most_work_comes_first() -> None:
    details = {task: Detail(error="ValueError", message="ValueError: a") for task in (1, 2)}
    details[3] = Detail(error="KeyError", message="KeyError: 'b'")
    blocked = [record(task, root=3) for task in (4, 5, 6)]
    first, second = group_failures([record(task) for task in details], details, blocked)
    assert (first.error, first.blocked, second.numbers) == ("KeyError", 3, [1, 2])


def test_the_place_is_the_innermost_line_of_a_user() -> None:
    text = TRACEBACK.format(pid=1, cell=2, line=3, user="me", error="ValueError", message="x")
    assert innermost_frame(text) == "fit in model.py: return np.log(x) / scale"
    assert innermost_frame("\n".join(text.splitlines()[:3])) == "train in a cell: return fit(x)"
    assert innermost_frame("") == ""


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        (Detail(error="MemoryError", cause="raised"), Reason.OUT_OF_MEMORY),
        (Detail(error="OutOfMemoryError", cause="raised"), Reason.OUT_OF_MEMORY),
        (Detail(error="WorkerLost", cause="lost", message="node n3 was lost: no sign"), Reason.LOST_NODE),
        (
            Detail(error="BashExitFailure", message="exit code 127: bwa: command not found"),
            Reason.MISSING_PACKAGE,
        ),
        (Detail(error="BashExitFailure", message="cat: a: No such file or directory"), Reason.MISSING_FILE),
        (Detail(error="BashExitFailure", message="exit code 3"), Reason.USER_ERROR),
        (Detail(error="ValueError", message="the text 'command not found' is odd"), Reason.USER_ERROR),
        (Detail(error="BlockTooShort", cause="expired"), Reason.WALLTIME),
        (Detail(error="StagingError", cause="staging"), Reason.MISSING_FILE),
        (Detail(error="TimeoutError", cause="raised", message="timed out"), Reason.USER_ERROR),
        (Detail(), Reason.USER_ERROR),
    ],
)
def test_reasons(detail: Detail, reason: Reason) -> None:
    assert reason_of(detail) is reason
