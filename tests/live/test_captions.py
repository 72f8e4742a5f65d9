"""The names over the blocks, placed by the browser's own code in node, on a canvas that takes notes."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from nbflow.live.esm import FOLDER

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")

LETTER = 7.0
SCRIPT = """
import { Captions } from '%s';
const written = [];
const context = {
  measureText: text => ({ width: 7 * text.length }),
  strokeText: () => {},
  fillText: (text, x, y) => written.push([text, x, y]),
};
const { blocks, names, width } = JSON.parse(process.argv[2]);
const store = { blocks, apps: new Map(names.map((name, app) => [app, name])) };
new Captions(store).paint({ context, theme: {}, camera: { scale: 1, x: 0, y: 0, width, height: 300 } });
console.log(JSON.stringify(written));
"""


@dataclass(frozen=True)
class Word:
    text: str
    x: float
    y: float

    @property
    def right(self) -> float:
        return self.x + LETTER * len(self.text)


def block(app: int, x: float, y: float = 100.0, **more: float) -> Mapping[str, float]:
    return {"app": app, "x": x, "y": y, "width": 22, "height": 22, "count": 1, "isCard": False, **more}


def written(
    folder: Path, names: Sequence[str], blocks: Sequence[Mapping[str, float]], *, width: int = 600
) -> list[Word]:
    script = folder / "captions.mjs"
    script.write_text(SCRIPT % (Path(str(FOLDER)) / "captions.js").as_uri())
    question = json.dumps({"blocks": blocks, "names": names, "width": width})
    command = ["node", "--no-warnings", str(script), question]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Word(*word) for word in json.loads(answer.stdout)]


def test_a_name_stands_over_the_middle_of_its_mark(tmp_path: Path) -> None:
    (word,) = written(tmp_path, ["train"], [block(0, 200)])
    assert word.text == "train"
    assert word.x + word.right == 2 * 211
    assert word.y < 100


def test_a_long_name_has_the_room_that_is_there_and_stays_in_the_view(tmp_path: Path) -> None:
    name = "align_reads_against_the_reference_genome"
    (word,) = written(tmp_path, [name], [block(0, 560)])
    assert word.text == name
    assert word.right <= 600


def test_names_of_neighbours_share_the_room_between_them(tmp_path: Path) -> None:
    names = ["a_name_of_thirty_letters_or_so"] * 3
    words = written(tmp_path, names, [block(app, 150 + 130 * app) for app in range(3)])
    assert words[1].text.endswith("…")
    assert all(one.right < other.x for one, other in pairwise(words))


def test_where_names_are_too_near_some_are_left_out_and_the_others_are_whole(tmp_path: Path) -> None:
    names = [f"step_{number:02d}_relax" for number in range(20)]
    words = written(tmp_path, names, [block(app, 28 * app) for app in range(20)])
    assert 3 <= len(words) < 10
    assert {word.text for word in words} <= set(names)
    assert all(one.right < other.x for one, other in pairwise(words))


def test_no_name_covers_a_mark_of_a_neighbour(tmp_path: Path) -> None:
    tall = block(1, 250, 40, height=200)
    words = written(tmp_path, ["a_name_that_would_reach_the_tall_one", "tall"], [block(0, 180), tall])
    assert words[0].text == "tall" or words[0].right <= 250
    assert all(word.right <= 250 or word.y < 40 for word in words)
