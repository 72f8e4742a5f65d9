"""The look inside a failure: its frames with the line where each stood, and its variables, as texts."""

import linecache

import pytest

import nbflow as nf
from nbflow.errors import NoCapsule
from nbflow.live.inside import tell_inside

SOURCE = """
def share(parts, whole):
    ratio = part_of(parts, whole)
    return ratio

def part_of(parts, whole):
    token = "correct-horse-battery"
    return parts / whole
"""


def test_the_frame_that_raised_comes_first_with_its_line_and_its_variables() -> None:
    linecache.cache["<cell>"] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), "<cell>")
    namespace = {"__name__": "__main__"}
    exec(compile(SOURCE, "<cell>", "exec"), namespace)
    nf.load("threads", workers=1)
    failed = nf.python_app(namespace["share"])(3, 0)
    nf.wait([failed])
    told = tell_inside(failed.task.capsule())
    nf.clear()
    inner, outer = told["frames"]
    assert [frame["title"] for frame in told["frames"]] == ["part_of, <cell>", "share, <cell>"]
    assert dict(inner["lines"])[inner["marked"]] == "    return parts / whole"
    assert dict(outer["lines"])[outer["marked"]] == "    ratio = part_of(parts, whole)"
    assert dict(inner["variables"]) == {"parts": "3", "whole": "0", "token": "<withheld>"}
    assert told["task"] == failed.tid


def test_a_task_that_was_not_run_has_nothing_to_look_into() -> None:
    nf.load("threads", workers=1)
    waits = nf.python_app(abs)(nf.python_app(lambda: 1 / 0)())
    nf.wait([waits])
    with pytest.raises(NoCapsule):
        tell_inside(waits.task.capsule())
    nf.clear()
