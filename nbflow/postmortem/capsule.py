"""Own the record of a failure as its user has it: to look at, to debug, to run again, to make a test of."""

from __future__ import annotations

import html
import pdb
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, final

from nbflow.errors import NoCapsule, NotReadable
from nbflow.journal.runs import locate
from nbflow.postmortem.frames import Picture, rebuild
from nbflow.postmortem.pytest_file import reached, write_test
from nbflow.postmortem.store import Stored, read, record_path
from nbflow.wire.capsule import CallRecord, Evidence, Variable, unpack
from nbflow.wire.messages import Kind
from nbflow.wire.secrecy import WITHHELD
from nbflow.worker.call import settled

__all__ = ["Capsule", "open_capsule"]

SHOWN_VARIABLES = 12
SHOWN_LENGTH = 100


def open_capsule(run: str | Path, task: int) -> Capsule:
    """Return the record of a failed task of any run on this machine, named as `nbflow show` takes it.

    Raises JournalError when there is no such run, NoCapsule when the task left no record.
    """
    journal = locate(run)
    if not isinstance(journal, Path):
        raise NoCapsule(f"the run {run} is remembered in memory only: its failures left no records")
    return Capsule(record_path(journal.parent, task))


@final
class Capsule:
    """Show one failed call as it was recorded, and go back to it. Looking never runs anything."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stored: Stored = read(path)

    @property
    def call(self) -> CallRecord:
        """Return which call it was, and how it failed."""
        return self._stored.call

    @property
    def evidence(self) -> Evidence:
        """Return what was seen where it failed. Raises NoCapsule when nobody was left to see it."""
        if self._stored.evidence is None:
            raise NoCapsule(
                f"task {self.call.task} left no frames: {self.call.last_words}. "
                "capsule.replay() runs it again here"
            )
        return self._stored.evidence

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments by name; what was not kept is there as a picture."""
        return {one.name: self._open(one) for one in self.call.arguments}

    @property
    def randomness(self) -> dict[str, Any]:
        """Return the states of `random` and `numpy.random` when it failed, for their `setstate`."""
        return {one.name: self._open(one) for one in self.evidence.randomness}

    def function(self) -> Callable[..., Any]:
        """Return the function as it was. Raises NoCapsule when it was not kept, or cannot be read here."""
        if self.call.function is None:
            raise NoCapsule(
                f"the function {self.call.app} was not kept: it is large, or holds what looks like a secret. "
                "Give it: capsule.replay(fn=...)"
            )
        self._insist_on_ours()
        try:
            return unpack(self.call.function)  # type: ignore[no-any-return]
        except NotReadable as error:
            raise NoCapsule(f"the function {self.call.app} cannot be read here: {error}") from error

    def debug(self) -> None:
        """Open a debugger at the failure: up and down its frames, with their variables.

        In a notebook it is IPython's, in a terminal pdb; `q` leaves it.
        """
        _post_mortem(self.traceback())

    def traceback(self) -> TracebackType:
        """Return the traceback with its frames as they were, as far as they were kept."""
        names: dict[str, Any] = {}
        with suppress(NoCapsule):
            for fn in reached(self.function()):
                names |= fn.__globals__
        if not self.evidence.frames:
            raise NoCapsule(
                f"task {self.call.task} failed before any code of yours ran: {self.call.last_words}"
            )
        return rebuild(self.evidence.frames, self._open, names)

    def replay(self, fn: Callable[..., Any] | None = None, **changes: Any) -> Any:
        """Run the call again in this process, and open a debugger where it fails; return what it returns.

        `fn` replaces the function, `changes` arguments by name: those that were withheld or too large to be
        kept have to be given. Raises NoCapsule when one is missing.
        """
        fn = self.function() if fn is None else getattr(fn, "fn", fn)
        args, kwargs = self._given(changes)
        try:
            value = settled(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - what it raises is what one wants to see
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            _post_mortem(error.__traceback__.tb_next or error.__traceback__)  # type: ignore[union-attr, arg-type]
            return None
        return _run_command(value) if self.call.kind == Kind.BASH else value

    def as_test(self, path: Path | str | None = None) -> Path:
        """Write a pytest file that fails as the call did, and passes once it is mended; return its path."""
        target = Path(path or f"test_{self.call.app}_{self.call.task}.py")
        fn = None
        with suppress(NoCapsule):
            fn = self.function()
        target.write_text(write_test(self.call, fn, self.arguments), encoding="utf-8")
        return target

    def to_values(self) -> dict[str, Any]:
        """Sort out all that can be read for JSON: texts and pictures, without the objects."""
        call = asdict(self.call)
        evidence = None if self._stored.evidence is None else asdict(self._stored.evidence)
        for values in (
            call["arguments"],
            *(frame["variables"] for frame in (evidence or {}).get("frames", ())),
        ):
            for value in values:
                del value["data"]
        del call["function"]
        if evidence is not None:
            del evidence["randomness"]
        return {**call, "evidence": evidence}

    def _given(self, changes: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        given: dict[str, Any] = {**self.arguments, **changes}
        for name, value in given.items():
            if isinstance(value, Picture):
                why = "looks like a secret and was withheld" if WITHHELD in repr(value) else "was not kept"
                raise NoCapsule(f"argument {name} {why}: {value!r}. Give it: capsule.replay({name}=...)")
        names = [one.name for one in self.call.arguments]
        by_place = [given.pop(name) for name in names[: self.call.places]]
        return by_place, given

    def _open(self, variable: Variable) -> Any:
        """Return a variable itself, or its picture where it was not kept or cannot be read here."""
        if variable.data is None or not self._stored.is_ours:
            return Picture(variable.text)
        try:
            return unpack(variable.data)
        except NotReadable as error:
            return Picture(f"{variable.text}  # {error}")

    def _insist_on_ours(self) -> None:
        if not self._stored.is_ours:
            raise NoCapsule(
                f"{self.path} was written by another user, or changed since: its objects are not opened. "
                "What it says can be read: print(capsule)"
            )

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

    def _lines(self) -> list[str]:
        call, evidence = self.call, self._stored.evidence
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(call.time))
        lines = [f"task {call.task} of run {call.run}: {call.app} failed at {when}, try {call.try_id}"]
        lines += [f"    {one.name} = {_short(one.text)}" for one in call.arguments[:SHOWN_VARIABLES]]
        if evidence is not None:
            lines.append(f"in {evidence.directory} on {evidence.host}, Python {evidence.versions['python']}")
            for moment in evidence.frames:
                lines.append(f'  File "{moment.filename}", line {moment.line}, in {moment.function}')
                variables = moment.variables[:SHOWN_VARIABLES]
                lines += [f"    {one.name} = {_short(one.text)}" for one in variables]
        lines.append(call.last_words)
        lines.append("capsule.debug(), .replay(), .as_test()")
        return lines


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_LENGTH else f"{line[: SHOWN_LENGTH - 1]}…"


def _post_mortem(traceback: TracebackType) -> None:
    debugger = _debugger()
    debugger.reset()
    debugger.interaction(None, traceback)


def _debugger() -> Any:
    """Return IPython's debugger in a notebook or an IPython terminal, else pdb."""
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
        if shell is not None:
            return shell.debugger_cls()
    return pdb.Pdb()


def _run_command(line: str) -> int:
    """Run the command line of a bash app here, and show what it writes."""
    sys.stdout.write(f"$ {line}\n")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode
