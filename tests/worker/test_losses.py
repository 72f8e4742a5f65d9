from pathlib import Path

import pytest

from nbflow.core.ids import TaskId, TryId
from nbflow.wire.functions import Portable
from nbflow.wire.messages import Call, Directive
from nbflow.worker.losses import OUT_OF_MEMORY, OomWatch, lost, reason_of


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0, "exit code 0"),
        (3 << 8, "exit code 3"),
        (11, "killed by SIGSEGV"),
        (9, "killed by SIGKILL"),
        (35, "killed by signal 35"),
    ],
)
def test_a_status_is_put_in_words(status: int, reason: str) -> None:
    assert reason_of(status) == reason


def test_only_a_kill_is_taken_for_want_of_memory() -> None:
    assert reason_of(9, is_oom=True) == OUT_OF_MEMORY
    assert reason_of(11, is_oom=True) == "killed by SIGSEGV"


def test_the_counter_of_the_control_group_tells_when_it_strikes(tmp_path: Path) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("low 0\noom 1\noom_kill 1\n")
    watch = OomWatch((tmp_path / "absent", counter))
    assert not watch.has_struck()
    counter.write_text("low 0\noom 2\noom_kill 2\n")
    assert watch.has_struck()
    assert not watch.has_struck()


def test_a_loss_says_what_where_why_and_what_to_do() -> None:
    call = Call(
        TaskId(7), TryId(1), Portable(len).snapshot(encode=False), lambda: ((), {}), Directive(label="fit")
    )
    error = lost(call, "process 12 on here", OUT_OF_MEMORY, others=3, log="last words")
    assert str(error) == (
        "fit (task 7) was lost: its worker, process 12 on here, died: out of memory. "
        "It had 3 other calls in hand; "
        "each is tried again by itself. Give the call less to hold at a time, or run fewer workers.\n"
        "The last that it said:\nlast words"
    )
    assert error.task == 7
