"""Own what a word of `%nbflow` is, and the parser of its line. It does nothing to a run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, final

from IPython.core.error import UsageError

__all__ = ["HelpAsked", "LineParser", "Said", "Word", "listed", "parser_of"]

WIDEST: Final = 32
Examples = Sequence[tuple[str, str]]


@final
class Said(str):
    """Be a text that a notebook shows as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _nothing(_: argparse.ArgumentParser) -> None:
    """Take no arguments."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Be one word of `%nbflow`: what it does with what it is given, and how it is used.

    `examples` are lines and what they do, the plainest first. `is_verbatim`: its line is taken as it stands,
    quotes and all.
    """

    run: Callable[[argparse.Namespace], Any]
    examples: Examples
    configure: Callable[[argparse.ArgumentParser], None] = _nothing
    is_verbatim: bool = False

    @property
    def summary(self) -> str:
        """Say what it does, in one line."""
        return self.examples[0][1]


class HelpAsked(Exception):
    """Carry the help that somebody asked for in the middle of a line."""


@final
class LineParser(argparse.ArgumentParser):
    """Read a line of a magic: raise where a command would end its process."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with what is wrong, and how to learn more."""
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        """Raise the help, for whoever shows it."""
        raise HelpAsked(self.format_help())


def parser_of(name: str, word: Word) -> LineParser:
    """Return the parser of what stands behind a word."""
    parser = LineParser(
        prog=f"%nbflow {name}",
        description=word.summary,
        epilog=f"examples:\n{listed(word.examples)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    word.configure(parser)
    return parser


def listed(examples: Examples) -> str:
    """Write examples as lines, those that are not too long in columns."""
    width = max((len(line) for line, _ in examples if len(line) <= WIDEST), default=0)
    return "\n".join(f"  %nbflow {line:{width}}  {does}" for line, does in examples)
