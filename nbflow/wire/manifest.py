"""Own the list of calls in a bundle: plain tuples, which cost a tenth of what dataclasses cost to pickle."""

from __future__ import annotations

import functools
from typing import Any, final

from nbflow.core.ids import TaskId
from nbflow.core.task import Grant
from nbflow.wire.messages import PYTHON, Call, Directive, Kind, Stream

__all__ = ["Manifest", "PackedDirective", "unpack_directive"]

PackedDirective = tuple[str, Stream | None, Stream | None, tuple[str, ...], bool, float | None, str, str]


@final
class Manifest:
    """List the calls of one bundle; the directives that they share are told once.

    An item is (task, try, index of its directive, token of its function, packed arguments, upstream); the
    directive of plain Python calls is None. `grants` are for the few calls that have one.
    """

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []
        self.directives: list[PackedDirective | None] = []
        self.grants: dict[TaskId, Grant] = {}
        self._numbers: dict[int, int] = {}

    def add(self, call: Call, arguments: Any) -> None:
        """Put a call on the list, with its packed arguments."""
        number = self._numbers.get(id(call.directive))
        if number is None:
            number = self._numbers[id(call.directive)] = len(self.directives)
            self.directives.append(_pack_directive(call.directive))
        self.items.append((call.task, call.try_id, number, call.function.token, arguments, call.upstream))
        if call.grant is not None:
            self.grants[call.task] = call.grant


def _pack_directive(directive: Directive) -> PackedDirective | None:
    if directive is PYTHON:
        return None
    return (
        directive.kind.value,
        directive.stdout,
        directive.stderr,
        directive.outputs,
        directive.is_strict,
        directive.walltime,
        directive.label,
        directive.app,
    )


def unpack_directive(packed: PackedDirective | None) -> Directive:
    """Return the directive that was told."""
    return PYTHON if packed is None else _directive(*packed)


@functools.lru_cache(maxsize=256)
def _directive(
    kind: str,
    stdout: Stream | None,
    stderr: Stream | None,
    outputs: tuple[str, ...],
    is_strict: bool,  # noqa: FBT001 - a tuple has no names
    walltime: float | None,
    label: str,
    app: str,
) -> Directive:
    return Directive(
        kind=Kind(kind),
        stdout=stdout,
        stderr=stderr,
        outputs=outputs,
        is_strict=is_strict,
        walltime=walltime,
        label=label,
        app=app,
    )
