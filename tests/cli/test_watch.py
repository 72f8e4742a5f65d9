import io
import json

import pytest
from rich.console import Console

from nbflow.cli import main, watch
from nbflow.journal.writer import Journal
from nbflow.live.board import BoardKeeper

from .conftest import RUN


def drawn(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    with BoardKeeper(RUN) as keeper:
        console.print(watch._screen(keeper.look()))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_run_that_is_over_is_shown_once(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    sample.close("finished")
    assert main(["watch"]) == 1
    assert capsys.readouterr().out.startswith("nbflow: finished: 1 of 5 tasks done, ")


def test_programs_get_lines_of_json(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    sample.close("finished")
    assert main(["watch", RUN, "--json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    board = json.loads(line)
    assert (board["run"], board["tasks"]["failed"]) == (RUN, 1)
    assert board["failures"][0]["why"] == "ValueError: negative"


def test_the_screen_tells_counts_apps_and_failures(sample: Journal) -> None:
    text = drawn(120)
    assert f"{RUN}  running" in text
    assert "3 of 5 tasks finished" in text
    assert "✕ 1 failed" in text
    assert "━" * watch.BAR_WIDTH in text
    assert "1/4 done  2 failed" in text
    assert "task 2      area(-1)  ValueError: negative" in text
    assert f"nbflow show {RUN} 2" in text


def test_a_narrow_terminal_cuts_lines_and_breaks_none(sample: Journal) -> None:
    assert max(map(len, drawn(40).splitlines())) <= 40
    assert len(drawn(40).splitlines()) == len(drawn(120).splitlines())


def test_nothing_in_a_failure_can_steer_the_terminal() -> None:
    assert watch._printable("\x1b[2J\x07red\u202e") == "·[2J·red·"


def test_stopping_leaves_the_run_alone(
    sample: Journal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", stop)
    assert main(["watch"]) == 130
    assert capsys.readouterr().out.startswith("nbflow: running: ")
