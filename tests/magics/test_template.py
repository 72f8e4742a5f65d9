import subprocess

import pytest

from nbflow.magics.template import fill, placeholders


def test_names_are_found_in_the_order_of_their_use() -> None:
    assert placeholders("bwa {ref} {reads} {ref} > {outputs[0]}") == ["ref", "reads", "outputs"]


@pytest.mark.parametrize(
    "template",
    ["echo ${HOME}", "awk '{print $1}' x", "f() { echo; }", "echo {{name}}", "ls *.{txt,csv}", "seq {1..3}"],
)
def test_braces_of_the_shell_are_left_alone(template: str) -> None:
    assert placeholders(template) == []
    assert fill(template, {"HOME": 1, "print": 2, "name": 3}) == template


def test_values_are_single_words_for_the_shell() -> None:
    command = fill("printf '%s|' {a} {b}", {"a": "x y", "b": "'; echo gone"})
    assert subprocess.run(command, shell=True, capture_output=True, text=True).stdout == "x y|'; echo gone|"


def test_lists_are_several_words() -> None:
    assert (
        fill("cat {files} > {outputs[1]}", {"files": ["a", "b c"], "outputs": ("x", "y")})
        == "cat a 'b c' > y"
    )


def test_unknown_names_stay() -> None:
    assert fill("echo {a} {b}", {"a": 1}) == "echo 1 {b}"
