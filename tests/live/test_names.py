import re
from collections.abc import Sequence

from nbflow.journal.rows import AppRow
from nbflow.live.arrange import arrange
from nbflow.live.model import RunModel
from nbflow.live.names import draw_names


def written(names: Sequence[str], *, layers: Sequence[int]) -> list[str]:
    """Draw one mark of each app."""
    model = RunModel()
    model.add_apps(AppRow(app, name, "python", "m", None, None) for app, name in enumerate(names))
    arrangement = arrange(layers, range(len(names)), [0] * len(names))
    right = max(arrangement.x) + 60
    svg = draw_names(arrangement, model, scale=1.0, left=-60.0, right=right)
    return re.findall(r">([^<>]+)</text>", svg)


def test_names_with_room_are_whole() -> None:
    names = ["load", "align_reads_against_the_reference", "report"]
    assert sorted(written(names, layers=[0, 1, 2])) == sorted(names)


def test_a_name_is_shortened_before_it_is_left_out() -> None:
    names = ["a_name_that_is_far_too_long_for_this"] * 12
    texts = written(names, layers=range(12))
    assert any(text.endswith("…") for text in texts)
    assert len(texts) >= 6


def test_names_in_a_crowd_are_left_out() -> None:
    texts = written(["relax_the_grid"] * 80, layers=range(80))
    assert 5 < len(texts) < 80


def test_names_are_escaped() -> None:
    assert written(["<b>"], layers=[0]) == ["&lt;b&gt;"]
