from nbflow.core.ids import TaskId, TryId
from nbflow.wire.functions import Portable
from nbflow.wire.manifest import Manifest, unpack_directive
from nbflow.wire.messages import PYTHON, Call, Directive, Kind, Stream

DIRECTIVE = Directive(
    kind=Kind.BASH,
    stdout=Stream("out", "a"),
    outputs=("x",),
    is_strict=True,
    walltime=2.0,
    label="count",
    app="count_lines",
)


def make_call(directive: Directive, n: int = 1) -> Call:
    function = Portable(len).snapshot(encode=True)
    return Call(TaskId(n), TryId(1), function, lambda: (("abc",), {}), directive)


def test_directives_arrive_as_they_were() -> None:
    manifest = Manifest()
    for directive in (DIRECTIVE, PYTHON, Directive()):
        manifest.add(make_call(directive), None)
    assert list(map(unpack_directive, manifest.directives)) == [DIRECTIVE, PYTHON, PYTHON]


def test_a_directive_that_calls_share_is_told_once() -> None:
    manifest = Manifest()
    for n in range(3):
        manifest.add(make_call(DIRECTIVE, n), n)
    assert len(manifest.directives) == 1
    assert [(item[0], item[2], item[4]) for item in manifest.items] == [(0, 0, 0), (1, 0, 1), (2, 0, 2)]
