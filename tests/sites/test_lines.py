import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.sites.lines import key_lines

DOCUMENT = """\
# a comment with [brackets] = "and more
title = "a # no comment"   # [x] = 1

[sites.one]
setup = [
  "module load a",  # comment ] "
  'b = "c"',
]
text = \"\"\"
key = 1
[not.a.table] \\" \"\"\"\"
other = '''
x = 2'''
"quoted key".'x.y' = {a = 1, b = [1, 2]}

[[many]]
a = 1
[sites.one . "two words"]
last = 1979-05-27T07:32:00Z
"""


def test_each_key_has_its_line() -> None:
    tomllib.loads(DOCUMENT)
    assert key_lines(DOCUMENT) == {
        ("title",): 2,
        ("sites", "one"): 4,
        ("sites", "one", "setup"): 5,
        ("sites", "one", "text"): 9,
        ("sites", "one", "other"): 12,
        ("sites", "one", "quoted key", "x.y"): 14,
        ("many",): 16,
        ("many", "a"): 17,
        ("sites", "one", "two words"): 18,
        ("sites", "one", "two words", "last"): 19,
    }


VALUES = st.recursive(
    st.integers() | st.booleans() | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def written(value: object) -> str:
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(written, value)) + "\n]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower()


@given(st.lists(VALUES, max_size=6))
def test_values_never_hide_the_keys_after_them(values: list[object]) -> None:
    lines, expected, number = [], {}, 1
    for index, value in enumerate(values):
        line = f"key{index} = {written(value)}"
        expected[(f"key{index}",)] = number
        number += line.count("\n") + 1
        lines.append(line)
    text = "\n".join(lines)
    tomllib.loads(text)
    assert key_lines(text) == expected


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment"])
def test_a_document_without_keys(text: str) -> None:
    assert key_lines(text) == {}
