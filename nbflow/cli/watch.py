"""Watch a run in the terminal until it ends; Ctrl-C stops the watching and leaves the run alone.

Where the output is no terminal it writes a line now and then. It works for a run of any process: a notebook
whose cell blocks, a script. Exit code 1: the run has failed tasks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nbflow.cli.output import exit_code, status_of, took
from nbflow.core.states import State
from nbflow.live.board import AppLine, Board, BoardKeeper
from nbflow.live.model import Summary
from nbflow.live.palette import LEGEND, LOOKS
from nbflow.live.terminal import COLOURS

__all__ = ["configure", "run"]

PERIOD_SECONDS = 0.25
LINE_SECONDS = 10.0
JSON_SECONDS = 1.0
BAR_WIDTH = 24
MOST_APPS = 12


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="its name, the start of it, or `last` (the default)",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object a line, when it changes")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    console = Console()
    with BoardKeeper(arguments.run) as keeper:
        if arguments.json:
            board = _write(keeper, lambda board: json.dumps(board.to_values(), default=str), JSON_SECONDS)
        elif console.is_terminal:
            board = _draw(keeper, console)
        else:
            board = _write(keeper, _line, LINE_SECONDS)
    return exit_code(Counter(dict(zip(State, board.headline.summary.counts, strict=True))))


def _looks(keeper: BoardKeeper) -> Iterator[Board]:
    while True:
        board = keeper.look()
        yield board
        if board.is_over:
            return
        time.sleep(PERIOD_SECONDS)


def _write(keeper: BoardKeeper, write: Callable[[Board], str], period: float) -> Board:
    """Write what is new at most once in so many seconds, and the end; return the last board."""
    said, due = "", 0.0
    for board in _looks(keeper):
        text = write(board)
        now = time.monotonic()
        if text != said and (now >= due or board.is_over):
            print(text, flush=True)
            said, due = text, now + period
    return board


def _draw(keeper: BoardKeeper, console: Console) -> Board:
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for board in _looks(keeper):
            live.update(_screen(board), refresh=True)
    return board


def _line(board: Board) -> str:
    return f"nbflow: {status_of(board.run)}: {board.headline}"


def _screen(board: Board) -> Group:
    parts: list[Text | Table] = [_head(board), _counts(board.headline.summary), _apps(board)]
    if board.running:
        parts.append(Text("\nrunning now", "bold"))
        parts += [
            _entry(line.task, took(line.seconds), line.call, COLOURS[State.RUNNING]) for line in board.running
        ]
    if board.failures:
        parts.append(Text("\nnewest failures", "bold"))
        parts += [_entry(line.task, line.call, line.why, COLOURS[State.FAILED]) for line in board.failures]
        parts.append(Text(f"  nbflow show {board.run.run} {board.failures[0].task}", "dim"))
    return Group(*parts)


def _head(board: Board) -> Text:
    text = _one_line("nbflow ", "bold").append(f"{board.run.run}  {status_of(board.run)}  ")
    return text.append(" · ".join(filter(None, (board.headline.pace, board.headline.hint))), "dim")


def _counts(summary: Summary) -> Text:
    text = _one_line(f"{summary.finished:,} of {summary.total:,} tasks finished")
    for state in LEGEND:
        if summary[state]:
            look = LOOKS[state]
            text.append(f"  {look.icon} {summary[state]:,} {look.word}", COLOURS.get(state, "dim"))
    return text


def _apps(board: Board) -> Table:
    """Draw a bar for each app; of many, those that still have something to tell come first."""
    table = Table.grid(padding=(0, 2))
    apps = sorted(board.apps, key=lambda app: not (app.summary.left or app.summary[State.FAILED]))
    shown = list(board.apps) if len(apps) <= MOST_APPS else apps[:MOST_APPS]
    for app in shown:
        table.add_row(_one_line(_printable(app.name)), _bar(app), _done(app))
    if len(apps) > len(shown):
        table.add_row(Text(f"and {len(apps) - len(shown)} more", "dim"))
    return table


def _bar(app: AppLine) -> Text:
    summary, bar = app.summary, Text()
    parts = [
        (summary[State.DONE], "green"),
        (summary.finished - summary[State.DONE], "red"),
        (summary[State.RUNNING] + summary[State.JOINING], "blue"),
    ]
    # Rounded down from the left, so that a bar is full when everything is finished, and only then.
    reached = at = 0
    for count, style in parts:
        reached += count
        end = BAR_WIDTH * reached // max(1, summary.total)
        bar.append("━" * (end - at), style)
        at = end
    return bar.append("━" * (BAR_WIDTH - at), "bright_black")


def _done(app: AppLine) -> Text:
    failed = app.summary[State.FAILED] + app.summary[State.UPSTREAM_FAILED]
    text = _one_line(f"{app.summary[State.DONE]:,}/{app.summary.total:,} done")
    return text.append(f"  {failed:,} failed", "red") if failed else text


def _entry(task: int, first: str, second: str, style: str) -> Text:
    text = _one_line(f"  task {task:<6} ").append(f"{_printable(first)}  ", style)
    return text.append(_printable(second))


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _printable(text: str) -> str:
    """Return a text that cannot steer the terminal: it may hold what a task wrote into an exception."""
    return "".join(one if one.isprintable() else "·" for one in text)
