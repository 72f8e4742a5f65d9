"""Run the code blocks of one Markdown page as one IPython session, the way a reader would type them.

    python tests/docs/session.py PAGE.md

`python` and `ipython` blocks are cells, `console` blocks are shell commands after `$ `. A `text` block that
follows is what the block before it prints, with `...` for what differs from run to run; so are the other
lines of a console block. The first block that fails ends the session with its page and line.
"""

import contextlib
import doctest
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*).*?\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
CELLS = {"python", "ipython"}
LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its code without the fence's indent, and the line of its fence."""

    language: str
    code: str
    line: int


class BlockFailed(Exception):
    """Say that a block raised, or printed something else than its page says."""


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    for match in FENCE.finditer(text):
        indent = match["indent"]
        code = "".join(line.removeprefix(indent) for line in match["code"].splitlines(keepends=True))
        yield Block(match["language"], code, text.count("\n", 0, match.start()) + 1)


def run_cell(shell: InteractiveShell, code: str) -> str:
    """Run one cell and return what it printed; raise what it raised."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        shell.run_cell(code, store_history=True).raise_error()
    return printed.getvalue()


def run_console(code: str) -> None:
    """Run each `$ ` command and hold its output to the lines that follow it, where there are any."""
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", code, re.MULTILINE):
        ran = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if ran.returncode != 0:
            raise BlockFailed(f"$ {command} ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
        if expected.strip():
            compare(expected, ran.stdout)


def compare(expected: str, printed: str) -> None:
    """Raise BlockFailed unless the printed text is the expected one, apart from `...` and white space."""
    if not doctest.OutputChecker().check_output(expected, printed, LOOSELY):
        raise BlockFailed(f"the page says\n{expected}\nand this was printed\n{printed}")


def run_page(path: Path) -> int:
    """Run every block of a page and return how many ran."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    printed, count = "", 0
    for block in blocks(path.read_text()):
        try:
            match block.language:
                case language if language in CELLS:
                    printed = run_cell(shell, block.code)
                case "console":
                    run_console(block.code)
                case "text":
                    compare(block.code, printed)
                case _:
                    continue
        except BaseException as error:
            raise BlockFailed(f"{path.name}, line {block.line}: {error}") from error
        count += 1
    return count


if __name__ == "__main__":
    print(run_page(Path(sys.argv[1])))
