import json

import pytest

from nbflow.cli import main
from nbflow.journal.writer import Journal


def test_the_last_events_are_listed(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "-n", "3"]) == 1
    first, second, third = capsys.readouterr().out.splitlines()
    assert "task 4" in first
    assert "running" in first
    assert "processes/1" in first
    assert "Submitted" in second
    assert third.endswith("Spawned  after 0.250 s")


def test_all_events_are_listed_with_later_tries_marked(
    sample: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tail", "-n", "0"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert "TryFailed (try 2)  raised after 0.500 s ValueError" in lines[10]


def test_following_ends_with_the_run(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    sample.close("closed")
    assert main(["tail", "-f", "-n", "2"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_each_line_is_json(sample: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", "--json"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[4]["detail"] == {"slot": "processes/1"}
    assert events[-1]["state"] == "joining"
