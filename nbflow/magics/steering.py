"""Own the words of `%nbflow` that steer the current run."""

from __future__ import annotations

import argparse
from typing import Any

from nbflow.control.words import add_choice, add_retrying, add_skipping, changes, told
from nbflow.core.task import Task
from nbflow.flow import current
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.load import load
from nbflow.flow.request import Request
from nbflow.flow.steering.editing import value_of
from nbflow.flow.steering.nodes import nodes, scale
from nbflow.flow.steering.selection import choose, choose_failed, choose_stated, describe_choice
from nbflow.magics.word import Said, Word

__all__ = ["STEERING"]


def _takes_executors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "executors", nargs="*", metavar="EXECUTOR", help="executors or sites (processes of this machine)"
    )
    parser.add_argument("--workers", type=int, help="how many (one for each core)")
    parser.add_argument("--retries", type=int, help="how often a failed call is tried again")
    parser.add_argument("--resume", metavar="RUN", help="go on from the results of a run, or a file")
    parser.add_argument("--fresh", action="store_true", help="go on from nothing")


def _load(given: argparse.Namespace) -> Any:
    return load(
        given.executors or None,
        workers=given.workers,
        retries=given.retries,
        resume=given.resume,
        fresh=given.fresh,
    )


def _fresh(_: argparse.Namespace) -> Said:
    load(fresh=True)
    return Said("from here on calls run anew; what is finished until now is not bound again")


def _clear(_: argparse.Namespace) -> None:
    current.clear()


def _retry(given: argparse.Namespace) -> Said:
    kernel = current.current()
    wanted = choose_failed(kernel, app=given.app, numbers=given.task, error=given.error)
    why = describe_choice(app=given.app, numbers=given.task, error=given.error)
    reopened = kernel.retry(wanted, Request(options=changes(given), by="%nbflow retry", why=why))
    return Said(told("retry", reopened))


def _skip(given: argparse.Namespace) -> Said:
    kernel = current.current()
    wanted = choose_stated(
        kernel, "skip", failed=given.failed, app=given.app, numbers=given.task, error=given.error
    )
    return Said(told("skip", kernel.skip(wanted, value_of(given.value), by="%nbflow skip")))


def _undo(_: argparse.Namespace) -> Said:
    return Said(told("undo", current.current().undo(by="%nbflow undo")))


def _takes_choice(parser: argparse.ArgumentParser) -> None:
    """Take an app, also without `--app`, or numbers."""
    parser.add_argument("name", nargs="?", metavar="APP", help="only tasks of this app")
    add_choice(parser)


def _chosen(given: argparse.Namespace, kernel: DataFlowKernel) -> list[Task]:
    return choose(kernel, app=given.app or given.name, numbers=given.task)


def _cancel(given: argparse.Namespace) -> Said:
    kernel = current.current()
    wanted = (task for task in _chosen(given, kernel) if not task.state.is_final)
    return Said(told("cancel", kernel.cancel(wanted)))


def _release(given: argparse.Namespace) -> Said:
    kernel = current.current()
    is_all = (given.app or given.name or given.task) is None
    return Said(told("release", kernel.release(None if is_all else _chosen(given, kernel))))


def _pause(given: argparse.Namespace) -> Said:
    kernel = current.current()
    tasks = None if given.task is None else _chosen(given, kernel)
    return Said(told("pause", kernel.pauses.pause(app=given.app or given.name, tasks=tasks)))


def _resume(given: argparse.Namespace) -> Said:
    kernel = current.current()
    tasks = None if given.task is None else _chosen(given, kernel)
    return Said(told("resume", kernel.pauses.resume(app=given.app or given.name, tasks=tasks)))


def _takes_blocks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("blocks", type=int, metavar="BLOCKS", help="how many")
    parser.add_argument(
        "site", nargs="?", metavar="SITE", help="where; it needs no name when there is only one"
    )


def _scale(given: argparse.Namespace) -> Any:
    scale(given.blocks, site=given.site)
    return nodes()


STEERING = {
    "load": Word(
        run=_load,
        configure=_takes_executors,
        examples=(
            ("load", "start a dataflow kernel: processes on this machine"),
            ("load threads --workers 8", "start one with threads instead"),
            ("load mycluster", "start one on the pilots of a site"),
            ("load --resume RUN", "start one that goes on from the results of a run, or a file"),
        ),
    ),
    "fresh": Word(run=_fresh, examples=(("fresh", "bind no calls to earlier work from here on: run them"),)),
    "retry": Word(
        run=_retry,
        configure=add_retrying,
        examples=(
            ("retry", "run all failed tasks again, and what waits for them"),
            ("retry --app train --error MemoryError --memory 8GB", "run these again, with more memory"),
        ),
    ),
    "skip": Word(
        run=_skip,
        configure=add_skipping,
        examples=(
            ("skip --task 7 --value 0.5", "give failed tasks a value instead of running them"),
            ("skip --error FileNotFoundError --value None", "do that to all with one error"),
        ),
    ),
    "undo": Word(run=_undo, examples=(("undo", "take the last retry back"),)),
    "release": Word(
        run=_release,
        configure=_takes_choice,
        examples=(("release", "fail what is held until a failed task is retried"),),
    ),
    "pause": Word(
        run=_pause,
        configure=_takes_choice,
        examples=(("pause", "start no more tasks"), ("pause train", "start no more of an app")),
    ),
    "resume": Word(
        run=_resume, configure=_takes_choice, examples=(("resume", "start again what is paused"),)
    ),
    "cancel": Word(
        run=_cancel,
        configure=_takes_choice,
        examples=(
            ("cancel train", "cancel the unfinished tasks of an app; without a name, all"),
            ("cancel --task 4 7", "cancel some by their numbers"),
        ),
    ),
    "scale": Word(
        run=_scale,
        configure=_takes_blocks,
        examples=(
            ("scale 4", "have four blocks"),
            ("scale 4 mycluster", "have them at one of several sites"),
        ),
    ),
    "clear": Word(
        run=_clear, examples=(("clear", "end the run: cancel what is unfinished, stop all processes"),)
    ),
}
