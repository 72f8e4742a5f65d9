"""Own `%nbflow`: a look at the run, and a hand on it, in one line."""

from __future__ import annotations

import argparse
import shlex
from functools import cache
from typing import Any, final

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from nbflow.magics.looking import LOOKING, ask
from nbflow.magics.steering import STEERING
from nbflow.magics.word import HelpAsked, LineParser, Said, Word, listed, parser_of

__all__ = ["LineMagics", "parsers"]

OVERVIEW = """\
Look at the current run, and steer it.

{examples}

Without a word it does what `status` does. Tab completes; `%nbflow WORD --help` tells more about each.
"""


def _takes_word(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("about", nargs="?", choices=WORDS, metavar="WORD", help="one of them")


def _help(given: argparse.Namespace) -> Said:
    if given.about is not None:
        raise HelpAsked(parsers()[given.about].format_help())
    return Said(_overview())


def _overview() -> str:
    examples = listed([example for word in WORDS.values() for example in word.examples])
    return OVERVIEW.format(examples=examples)


WORDS: dict[str, Word] = {**LOOKING, **STEERING}
WORDS["help"] = Word(
    run=_help,
    configure=_takes_word,
    examples=(("help", "show this"), ("help retry", "tell more about a word")),
)


@cache
def parsers() -> dict[str, LineParser]:
    """Return the parser of each word."""
    return {name: parser_of(name, word) for name, word in WORDS.items()}


@final
@magics_class
class LineMagics(Magics):
    """Look at the current run, and steer it."""

    @no_var_expand
    @line_magic
    def nbflow(self, line: str) -> Any:  # noqa: D102 - its words say what they do, see below
        name, _, rest = (line.strip() or "status").partition(" ")
        word = WORDS.get(name)
        if word is None:
            raise UsageError(f"%nbflow {name}: there is {', '.join(WORDS)}; see %nbflow?")
        try:
            # Split and joined at single spaces, a verbatim line stays as it is.
            parts = rest.split(" ") if word.is_verbatim else shlex.split(rest)
            return word.run(parsers()[name].parse_args(parts))
        except HelpAsked as asked:
            return Said(asked)

    nbflow.__doc__ = _overview()

    @no_var_expand
    @cell_magic
    def nbflow_sql(self, line: str, cell: str) -> Any:
        """Ask the journal of the current run in SQL, or that of the run which the line names.

        Example::

            %%nbflow_sql last
            SELECT app, count(*) AS calls, avg(seconds) AS mean
            FROM tasks
            WHERE state = 'done'
            GROUP BY app

        The answer is a pandas DataFrame where there is pandas, else a table.
        """
        names = line.split()
        if len(names) > 1:
            raise UsageError(
                "%%nbflow_sql takes the name of one run, or nothing; the cell below it is the query"
            )
        return ask(cell, names[0] if names else None)
