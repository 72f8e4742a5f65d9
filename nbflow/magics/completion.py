"""Own what Tab offers behind `%nbflow` and the cell magics: it is read off their parsers.

The name of a value in capitals says what belongs there: see `_VALUES`.
"""

# IPython's decorators carry no types.
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Final, final

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from nbflow.core.states import REOPENABLE
from nbflow.errors import ConfigError
from nbflow.executors.registry import executor_names
from nbflow.flow import current
from nbflow.flow.spec import app_names
from nbflow.journal.places import JOURNAL_NAME, runs_dir
from nbflow.journal.sql import views
from nbflow.magics.apps import AppMagics
from nbflow.magics.line import parsers
from nbflow.sites.catalogue import load_catalogue

__all__ = ["candidates", "complete"]

MOST_OFFERED: Final = 50
_LINE = re.compile(r"\s*(?:[^%]*=\s*)?%nbflow\s(?P<rest>.*)", re.S)
_CELL = re.compile(r"%%(?P<magic>nbflow_app|parsl_app|bash_app)\s(?P<rest>.*)", re.S)
_MANY = ("*", "+", argparse.REMAINDER)


@context_matcher()
def complete(context: CompletionContext) -> SimpleMatcherResult:
    """Offer what may stand next in a line of `%nbflow`, or on top of a cell that becomes an app."""
    token = context.token
    line = context.text_until_cursor.removesuffix(token)
    found: Iterable[str] = ()
    if match := _LINE.fullmatch(line):
        found = _after_nbflow(match["rest"].split())
    elif context.cursor_line == 0 and (match := _CELL.fullmatch(line)):
        found = candidates(getattr(AppMagics, match["magic"]).parser, match["rest"].split())
    offered = [SimpleCompletion(one, type="magic") for one in found if one.startswith(token)]
    return {"completions": offered, "suppress": True, "ordered": True}


def _after_nbflow(words: list[str]) -> Iterable[str]:
    if not words:
        return parsers()
    return candidates(parsers()[words[0]], words[1:]) if words[0] in parsers() else ()


def candidates(parser: argparse.ArgumentParser, words: Iterable[str]) -> Iterator[str]:
    """Yield what a parser would take after these words: values where they are known, then options."""
    place = _Place(parser)
    for word in words:
        place = place.after(word)
    return place.offer()


@final
class _Place:
    """Stand in a line: know which option waits for a value, and which positions are not filled yet."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._options = parser._option_string_actions
        self._positions = [action for action in parser._actions if not action.option_strings]
        self._waiting: argparse.Action | None = None

    def after(self, word: str) -> _Place:
        """Return the place behind one more word."""
        option = self._options.get(word.removesuffix("="))
        if option is not None:
            self._waiting = None if option.nargs == 0 else option
        elif self._waiting is not None:
            self._waiting = self._waiting if self._waiting.nargs in _MANY else None
        elif self._positions:
            return self._filled(word)
        return self

    def _filled(self, word: str) -> _Place:
        first = self._positions[0]
        if isinstance(first, argparse._SubParsersAction):
            return _Place(first.choices[word]) if word in first.choices else self
        if first.nargs == argparse.REMAINDER:
            self._options = {}
        elif first.nargs not in _MANY:
            del self._positions[0]
        return self

    def offer(self) -> Iterator[str]:
        """Yield what may stand here."""
        if self._waiting is not None:
            yield from _values(self._waiting)
            if self._waiting.nargs not in _MANY:
                return
        optional = sum(1 for _ in takewhile(lambda one: one.nargs in ("?", *_MANY), self._positions))
        for position in self._positions[: optional + 1]:
            yield from _values(position)
        yield from sorted((one for one in self._options if one[:2] == "--"), key=lambda one: one == "--help")


def _values(action: argparse.Action) -> Iterable[str]:
    if action.choices is not None:
        return map(str, action.choices)
    find = _VALUES.get(action.metavar) if isinstance(action.metavar, str) else None
    return () if find is None else find()


def _apps() -> Iterable[str]:
    return sorted(app_names(current.current().admission.specs if current.is_loaded() else {}))


def _errors() -> Iterable[str]:
    """Yield the names of the errors that tasks failed with."""
    known = current.current().known_tasks() if current.is_loaded() else ()
    return sorted(
        {type(task.failure.error).__name__ for task in known if task.failure and task.failure.error}
    )


def _labels() -> Iterable[str]:
    return [str(one.label) for one in current.current().executors] if current.is_loaded() else ()


def _runs() -> Iterator[str]:
    """Yield the names of runs, newest first; no journal is opened for it."""
    yield "last"
    names = sorted((path.parent.name for path in runs_dir().glob(f"*/{JOURNAL_NAME}")), reverse=True)
    yield from names[:MOST_OFFERED]


def _sites() -> Iterable[str]:
    try:
        return load_catalogue().names()
    except ConfigError:  # `%nbflow sites` says what is wrong
        return ()


def _tasks() -> Iterator[str]:
    """Yield the numbers of the tasks that failed, or were not run because of others."""
    known = current.current().known_tasks() if current.is_loaded() else ()
    failed = [task.id for task in known if task.state in REOPENABLE]
    return map(str, failed[:MOST_OFFERED])


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "APP": _apps,
    "EXECUTOR": lambda: [*executor_names(), *_sites()],
    "ERROR": _errors,
    "LABEL": _labels,
    "QUERY": views,
    "RUN": _runs,
    "SITE": _sites,
    "TASK": _tasks,
}
