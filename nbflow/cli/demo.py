"""Run a sample flow and watch it: pi, by throwing darts in many tasks at once.

One step is a shell command, one a join app that decides while it runs how many darts are still needed.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from typing import Any

from nbflow.apps.decorators import bash_app, join_app, python_app
from nbflow.cli.output import json_of
from nbflow.flow.current import clear, current
from nbflow.flow.futures.future import AppFuture
from nbflow.flow.load import load
from nbflow.live.terminal import progress

__all__ = ["configure", "run"]

DARTS = 200_000


@python_app
def throw(darts: int, seed: int) -> tuple[int, int]:
    """Throw darts at a square; return how many hit the circle in it, and how many were thrown."""
    chance = random.Random(seed).random
    return sum(chance() ** 2 + chance() ** 2 < 1 for _ in range(darts)), darts


@python_app
def total(counts: Sequence[Any]) -> tuple[int, int]:
    """Add up hits and throws."""
    return sum(hits for hits, _ in counts), sum(thrown for _, thrown in counts)


@join_app
def improve(count: Any, goal: int) -> AppFuture[tuple[int, int]]:
    """Throw more darts until there are `goal`: the join app decides how many tasks that takes."""
    missing = max(0, goal - count[1]) // DARTS
    return total([count, *(throw(DARTS, 1_000 + seed) for seed in range(missing))])


@bash_app
def banner(count: Any) -> str:
    """Write the result with a shell command."""
    hits, thrown = count
    return f"printf 'pi is about %.4f, after %d darts\\n' {4 * hits / thrown} {thrown}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--workers", type=int, help="how many worker processes (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="write the result as JSON")
    parser.add_argument("--tasks", type=int, default=96, help="how many tasks throw darts (default 96)")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    loaded = load(workers=arguments.workers)
    try:
        print(loaded, file=sys.stderr)
        with progress(current().journal.address):
            first = total([throw(DARTS, seed) for seed in range(arguments.tasks // 2)])
            count = improve(first, DARTS * arguments.tasks)
            banner(count).result()
            current().journal.flush()
        hits, thrown = count.result()
        result = {"run": loaded.run_id, "pi": 4 * hits / thrown, "darts": thrown}
        said = f"pi is about {4 * hits / thrown:.4f}, after {thrown:,} darts"
        print(json_of(result) if arguments.json else said)
        print(f"nbflow: look at it with `nbflow show {loaded.run_id}`", file=sys.stderr)
    finally:
        clear()
    return 0
