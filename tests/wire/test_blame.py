"""Finding what is to blame inside a value, in bounded time."""

from types import SimpleNamespace

import pytest

from nbflow.wire.blame import blame, not_picklable

BAD = object()


def travels(value):
    seen = []

    def has_bad(at):
        if at is BAD:
            return True
        if any(at is other for other in seen):
            return False
        seen.append(at)
        parts = (
            at.values()
            if isinstance(at, dict)
            else at
            if isinstance(at, list | tuple | set)
            else vars(at).values()
            if hasattr(at, "__dict__")
            else ()
        )
        return any(map(has_bad, parts))  # fmt: skip

    return not has_bad(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (BAD, "x"),
        ([1, BAD], "x[1]"),
        ({"a": (1, {2: BAD})}, "x['a'][1][2]"),
        (SimpleNamespace(model=SimpleNamespace(lock=BAD)), "x.model.lock"),
        ({(1, 2): [BAD]}, "x[<tuple>][0]"),
    ],
)
def test_the_innermost_part_is_blamed(value, path):
    assert blame("x", value, travels) == (path, BAD)


def test_a_circle_ends():
    value = [1, [BAD]]
    value[1].insert(0, value)
    path, _ = blame("x", value, lambda part: part == 1)
    assert path.startswith("x[1]")


def test_a_huge_value_ends_early():
    asked = []
    blame("x", [[n] for n in range(100_000)], lambda part: asked.append(part) is None)
    assert len(asked) <= 400


def test_words():
    error = not_picklable(TypeError("cannot pickle 'x'"), "args", [BAD], travels)
    assert error.path == "args[0]"
    assert "args[0] (of type object) cannot travel to a worker process: TypeError: cannot pickle 'x'." in str(
        error
    )
