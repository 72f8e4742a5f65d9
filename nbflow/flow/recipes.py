"""Own how a call is told from others, and what is kept of its result.

Runs in the thread of the memory: a look-up is a key made of code and arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from nbflow.core.ids import TaskId, TryId
from nbflow.errors import NotMemoizable
from nbflow.flow.futures.describe import describe_named
from nbflow.flow.futures.inputs import Invocation
from nbflow.memo.codec import encode
from nbflow.memo.files import digest_of
from nbflow.memo.keys import Binder, Code, Key
from nbflow.memo.recent import Row
from nbflow.memo.store import Entry, row_of
from nbflow.memo.why import Story
from nbflow.wire.fingerprint import Fingerprinter
from nbflow.wire.messages import Arguments

__all__ = ["Inquiry", "Recipe", "cannot", "inquire", "restore", "written_by"]


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """Say how the key of a call is made: what its code was when it was made.

    `code` is None when it cannot be told apart, for the reason `trouble`. `alive` is what runs when it is not
    a copy that runs: it may change until then.
    """

    binder: Binder
    code: Code | None
    trouble: str = ""
    alive: Fingerprinter | None = None

    def key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], outputs: Sequence[str]) -> Key:
        """Return the key of a call, futures replaced by their results. Raises NotMemoizable."""
        if self.code is None:
            raise NotMemoizable(self.trouble)
        return self.binder.key(self.code, args, kwargs, outputs)

    def check(self) -> None:
        """Raise NotMemoizable when code that is shared with this process was changed since then."""
        if (
            self.alive is not None
            and self.code
            and self.alive.snapshot().digest != self.code.fingerprint.digest
        ):
            raise NotMemoizable(
                "the code, or something that it uses, was changed while the call was under way"
            )


def written_by(call: Invocation) -> tuple[str, ...]:
    """Return the paths of all files that a call writes."""
    directive = call.directive
    if not directive.outputs and directive.stdout is None and directive.stderr is None:
        return ()
    streams = [stream.path for stream in (directive.stdout, directive.stderr) if stream is not None]
    return (*directive.outputs, *streams)


@final
@dataclass(slots=True)
class Inquiry:
    """Be a call that was looked up at `asked`. `arguments` are those that may change."""

    task: TaskId
    try_id: TryId
    recipe: Recipe
    code: Code
    key: bytes
    forms: str
    outputs: Sequence[str]
    arguments: Arguments | None
    asked: float

    def story(self) -> Story:
        """Return what `why` tells of this call."""
        return Story(self.key, self.code, self._told_forms(), self.asked)

    def _told_forms(self) -> str:
        """Return the forms of all arguments; what those that may change read like is added to theirs."""
        if self.arguments is None:
            return self.forms
        known = ast.literal_eval(self.forms)
        return repr(
            {
                name: (known[name], describe_named(name, value))
                if known[name].startswith("=")
                else known[name]
                for name, value in self.recipe.binder.named(*self.arguments)
            }
        )

    def keep(self, value: Any) -> Entry:
        """Return what is kept of the result. Raises NotMemoizable when it may not be that of the key."""
        if self.arguments is not None and self.recipe.key(*self.arguments, self.outputs).digest != self.key:
            raise NotMemoizable(
                "an argument was changed, or a file that it names, while the call was under way"
            )
        outputs = [(path, digest_of(path) or "") for path in self.outputs] if self.outputs else ()
        return Entry(*encode(value), outputs)

    def row(self, entry: Entry, now: float, seconds: float) -> Row:
        """Return this call and its result for the store."""
        return row_of(self.key, self.code, self._told_forms(), entry, self.asked, now, seconds)


def inquire(task: TaskId, try_id: TryId, call: Invocation, now: float) -> Inquiry:
    """Return a call that is looked up. Raises NotMemoizable."""
    recipe: Recipe = call.recipe
    arguments, outputs = call(), written_by(call)
    key = recipe.key(*arguments, outputs)
    code: Code = recipe.code  # type: ignore[assignment]
    changeable = None if key.is_plain else arguments
    return Inquiry(task, try_id, recipe, code, key.digest, key.forms, outputs, changeable, now)


def cannot(error: BaseException) -> str:
    """Return why nothing is remembered of a call."""
    return f"not remembered: {error}" if isinstance(error, NotMemoizable) else f"not remembered: {error!r}"


def restore(entry: Entry) -> tuple[Any, str]:
    """Return the value of an entry, or why it is of no use: a file is gone, a class has no such name."""
    for path, digest in entry.outputs:
        if digest_of(path) != digest:
            return None, f"miss: {path}, which the remembered call wrote, is gone or was changed"
    try:
        return entry.value(), ""
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code; the call is run then
        return None, f"miss: what was remembered cannot be read here: {error!r}"
