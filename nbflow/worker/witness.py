"""Own what is taken down where a call failed: frames with their variables, and what stood around them.

Bounded in size and time, whatever the variables are, and without running their code; secrets are left out. It
costs a failed call a few milliseconds, any other one nothing.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, final

from nbflow.errors import AppExited, TaskError
from nbflow.wire.capsule import Evidence, Moment, Testimony, Variable, name_arguments, pack
from nbflow.wire.failures import traceback_text
from nbflow.wire.installed import is_in_library
from nbflow.wire.secrecy import WITHHELD, Veil, conceal_source, has_secret_name, names_secrets
from nbflow.worker.capture import Written
from nbflow.worker.pictures import check_plain, is_safe, picture

__all__ = ["keep", "testify", "veiled"]

FIRST_FRAMES, LAST_FRAMES = 10, 30
MOST_VARIABLES = 100
MOST_FILES = 200
SOURCE_LENGTH = 20_000
OUTPUT_LENGTH = 10_000
VALUE_NBYTES = 128 * 1024
VALUES_NBYTES = 256 * 1024
TEXT_LENGTH = 96 * 1024
SECONDS = 0.5

_OWN = str(Path(__file__).parent.parent) + os.sep


@final
class _Room:
    """Count what is left of the space and the time for values."""

    def __init__(self) -> None:
        self.nbytes = VALUES_NBYTES
        self.text = TEXT_LENGTH
        self.until = time.monotonic() + SECONDS

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more can be looked at."""
        return self.text <= 0 or time.monotonic() > self.until


def testify(
    error: BaseException | None,
    written: Written | None,
    fn: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> tuple[Testimony | None, Written | None]:
    """Return what is told of a failed call, and what any call wrote, without the secrets that it knew.

    Never raises; costs nothing for a call that did not fail and was silent.
    """
    if error is None and written is None:
        return None, None
    try:
        frames = [] if error is None else list(_frames(error))
        given = dict(name_arguments(fn, args, kwargs))
        veil = Veil.of(given, *(namespace for frame, _ in frames for namespace in _namespaces(frame)))
        written = written and _over(written, veil)
        if error is None:
            return None, written
        if isinstance(error, TaskError) and error.args:  # our own words, which quote a user's
            error.args = (veil.over(str(error.args[0])), *error.args[1:])
        evidence = _evidence(frames, veil, written)
        return Testimony(veil.over(traceback_text(error)), evidence.to_json()), written
    except Exception as broken:  # noqa: BLE001 - an account that fails must not take the failure's place
        note = f"<what is told here could not be put together: {type(broken).__name__}>"
        return Testimony(note, "") if error is not None else None, written and ((note, 0), ("", 0))


def veiled(
    written: Written, fn: Any, args: Sequence[Any], kwargs: Mapping[str, Any], *namespaces: Mapping[str, Any]
) -> Written:
    """Return what a call has written, without the secrets among its arguments and in these namespaces."""
    return _over(written, Veil.of(dict(name_arguments(fn, args, kwargs)), *namespaces))


def _over(written: Written, veil: Veil) -> Written:
    (out, out_nbytes), (err, err_nbytes) = written
    return (veil.over(out), out_nbytes), (veil.over(err), err_nbytes)


def keep(value: Any, name: str, veil: Veil, limit: int = VALUE_NBYTES) -> Variable:
    """Return the record of one variable: itself too where it is small, safe and no secret."""
    text = veil.over(picture(value, name))
    if text == WITHHELD or not is_safe(value):
        return Variable(name, text)
    with suppress(Exception):  # too large, or it does not travel: its picture has to do
        data = pack(value, limit, check_plain)
        if not (veil.hides(data) or names_secrets(data)):
            return Variable(name, text, data)
    return Variable(name, text)


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames of a failure with their lines, outermost first; of very many, the first and last."""
    inner = error.__cause__ if isinstance(error, AppExited) and error.__cause__ is not None else error
    found = [pair for pair in _walk(inner.__traceback__) if not pair[0].f_code.co_filename.startswith(_OWN)]
    if len(found) > FIRST_FRAMES + LAST_FRAMES:
        found[FIRST_FRAMES:-LAST_FRAMES] = []
    yield from found


def _walk(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _namespaces(frame: FrameType) -> Iterator[Mapping[str, Any]]:
    yield frame.f_locals
    if not is_in_library(frame.f_code.co_filename):
        yield {name: value for name, value in frame.f_globals.copy().items() if has_secret_name(name)}


def _evidence(frames: list[tuple[FrameType, int]], veil: Veil, written: Written | None) -> Evidence:
    room = _Room()
    # The innermost first: where there is not room for all, they matter most.
    moments = [_moment(frame, line, veil, room) for frame, line in reversed(frames)]
    out, err = ("", "") if written is None else (written[0][0], written[1][0])
    return Evidence(
        frames=tuple(reversed(moments)),
        randomness=tuple(_randomness(veil)),
        versions=_versions(len(sys.modules)),
        host=os.uname().nodename,
        directory=veil.over(_directory()),
        listing=tuple(map(veil.over, _listing())),
        stdout=out[-OUTPUT_LENGTH:],
        stderr=err[-OUTPUT_LENGTH:],
    )


def _moment(frame: FrameType, line: int, veil: Veil, room: _Room) -> Moment:
    code = frame.f_code
    is_library = is_in_library(code.co_filename)
    variables: list[Variable] = []
    for name, value in islice(list(frame.f_locals.items()), MOST_VARIABLES):
        if room.is_over:
            break
        limit = 0 if is_library else min(VALUE_NBYTES, room.nbytes)
        one = keep(value, name, veil, limit) if limit else Variable(name, veil.over(picture(value, name)))
        room.nbytes -= len(one.data or b"")
        room.text -= len(one.text)
        variables.append(one)
    source = "" if room.is_over else veil.over(conceal_source(_source(code)))
    room.text -= len(source)
    return Moment(
        filename=code.co_filename,
        line=line,
        function=code.co_name,
        module=str(frame.f_globals.get("__name__", "")),
        first_line=code.co_firstlineno,
        source=source,
        variables=tuple(variables),
    )


@functools.lru_cache(maxsize=256)
def _source(code: CodeType) -> str:
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    if code.co_name == "<module>":
        return "".join(lines)[:SOURCE_LENGTH]
    return "".join(inspect.getblock(lines))[:SOURCE_LENGTH]


def _randomness(veil: Veil) -> Iterator[Variable]:
    """Yield the states of the generators that functions of a module draw from."""
    yield Variable("random", "", keep(random.getstate(), "", veil).data)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        yield Variable("numpy.random", "", keep(numpy.get_state(), "", veil).data)


@functools.lru_cache(maxsize=1)
def _versions(modules: int) -> dict[str, str]:
    """Return the versions that imported packages tell; asked again when there are more `modules`."""
    found = {"python": sys.version.partition(" ")[0]}
    for name, module in sorted(sys.modules.items()):
        version = vars(module).get("__version__") if isinstance(module, ModuleType) else None
        if "." not in name and type(version) is str and name not in sys.stdlib_module_names:
            found[name] = version
    return found


def _directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "a directory that was deleted"


def _listing() -> list[str]:
    try:
        with os.scandir() as entries:
            return sorted(entry.name for entry in islice(entries, MOST_FILES))
    except OSError:
        return []
