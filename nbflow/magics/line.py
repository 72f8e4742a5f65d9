"""Own `%nbflow`: a look at the run, and a hand on it, in one line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from typing import Any, final

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from nbflow import live
from nbflow.config.sessions import sessions, stop_session
from nbflow.config.sites import check_named, job_script, site_rows
from nbflow.control.words import add_changes, add_choice, changes, told
from nbflow.core.states import State
from nbflow.flow import current
from nbflow.flow.failures import failures
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.load import load
from nbflow.flow.nodes import nodes, scale
from nbflow.flow.request import Request
from nbflow.flow.selection import choose, choose_failed, describe_choice
from nbflow.flow.steering import capsule
from nbflow.journal.reader import open_run
from nbflow.live.headline import Headline
from nbflow.live.model import Summary

__all__ = ["LineMagics", "Said"]


@final
class Said(str):
    """Be a text that a notebook shows as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@final
@magics_class
class LineMagics(Magics):
    """Look at the current run, and steer it."""

    @no_var_expand
    @line_magic
    def nbflow(self, line: str) -> Any:
        """Look at the current run, and steer it.

        Examples::

            %nbflow load                       start a dataflow kernel: processes on this machine
            %nbflow load threads --workers 8   start one with threads instead
            %nbflow load mycluster             start one on the pilots of a site
            %nbflow load --resume RUN          start one that goes on from the results of a run, or a file
            %nbflow fresh                      bind no calls to earlier work from here on: run them
            %nbflow status                     count the tasks of the run by state
            %nbflow watch                      show the live graph
            %nbflow progress                   show one line
            %nbflow tasks failed               list tasks, here those in one state
            %nbflow retry                      run all failed tasks again, and what waits for them
            %nbflow retry --app train --error MemoryError --memory 8GB
                                               run these again, with more memory
            %nbflow failures                   group what failed, and say what helps
            %nbflow debug 7                    open a debugger where task 7 failed (`debug RUN 7` for any run)
            %nbflow undo                       take the last retry back
            %nbflow release                    fail what is held until a failed task is retried
            %nbflow pause train                start no more tasks of an app; without a name, none at all
            %nbflow resume                     start again what is paused
            %nbflow nodes                      list blocks and nodes, and what runs where
            %nbflow scale 4                    have four blocks (`scale 4 mycluster` among several sites)
            %nbflow sites                      list the sites that are described
            %nbflow sites check mycluster      log in to one and look at what work needs there
            %nbflow sites render mycluster     show the job script that it would be sent
            %nbflow sites sessions             list pilots, also those that a kernel left
            %nbflow sites stop NAME            end those that no kernel uses
            %nbflow cancel train               cancel the unfinished tasks of an app; without a name, all
            %nbflow clear                      end the run: cancel what is unfinished, stop all processes

        Without a word it does what `status` does.
        """
        parts = shlex.split(line) or ["status"]
        command = _COMMANDS.get(parts[0])
        if command is None:
            raise UsageError(f"%nbflow {parts[0]}: there is {', '.join(_COMMANDS)}; see %nbflow?")
        return command(parts[1:])


def _status(words: list[str]) -> Said:
    _take(words, 0)
    if not current.is_loaded():
        return Said("nothing is loaded; %nbflow load starts a dataflow kernel")
    kernel = current.current()
    kernel.journal.flush(timeout=1)
    with open_run(kernel.journal.address) as reader:
        counts = reader.counts()
    summary = Summary(tuple(counts[state] for state in State))
    return Said(f"{load()}\n{Headline(summary=summary)}")


def _load(words: list[str]) -> Any:
    parser = _Parser(prog="%nbflow load", add_help=False)
    parser.add_argument("executors", nargs="*")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--retries", type=int)
    parser.add_argument("--resume", metavar="RUN")
    parser.add_argument("--fresh", action="store_true")
    given = parser.parse_args(words)
    return load(
        given.executors or None,
        workers=given.workers,
        retries=given.retries,
        resume=given.resume,
        fresh=given.fresh,
    )


def _fresh(words: list[str]) -> Said:
    _take(words, 0)
    load(fresh=True)
    return Said("from here on calls run anew; what is finished until now is not bound again")


def _watch(words: list[str]) -> None:
    _take(words, 0)
    live.watch()


def _progress(words: list[str]) -> None:
    _take(words, 0)
    live.progress()


def _tasks(words: list[str]) -> Any:
    state = _take(words, 1)
    kernel = current.current()
    kernel.journal.flush(timeout=1)
    with open_run(kernel.journal.address) as reader:
        return reader.tasks(state=state)


def _cancel(words: list[str]) -> Said:
    kernel, app, numbers = _chosen("cancel", words)
    wanted = choose(kernel, app=app, numbers=numbers)
    return Said(told("cancel", kernel.cancel(task for task in wanted if not task.state.is_final)))


def _retry(words: list[str]) -> Said:
    parser = _Parser(prog="%nbflow retry", add_help=False)
    parser.add_argument("--failed", action="store_true")
    add_choice(parser)
    parser.add_argument("--error")
    add_changes(parser)
    given = parser.parse_args(words)
    kernel = current.current()
    wanted = choose_failed(kernel, app=given.app, numbers=given.task, error=given.error)
    why = describe_choice(app=given.app, numbers=given.task, error=given.error)
    reopened = kernel.retry(wanted, Request(options=changes(given), by="%nbflow retry", why=why))
    return Said(told("retry", reopened))


def _failures(words: list[str]) -> Any:
    return failures(_take(words, 1))


def _debug(words: list[str]) -> None:
    match words:
        case [task] if task.isdigit():
            current.current().capsule(int(task)).debug()
        case [run, task] if task.isdigit():
            capsule(run, int(task)).debug()
        case _:
            raise UsageError("%nbflow debug: give the number of a task, or a run and the number of a task")


def _undo(words: list[str]) -> Said:
    _take(words, 0)
    return Said(told("undo", current.current().undo(by="%nbflow undo")))


def _release(words: list[str]) -> Said:
    kernel, app, numbers = _chosen("release", words)
    is_all = app is None and numbers is None
    return Said(told("release", kernel.release(None if is_all else choose(kernel, app=app, numbers=numbers))))


def _pause(words: list[str]) -> Said:
    kernel, app, numbers = _chosen("pause", words)
    tasks = None if numbers is None else choose(kernel, app=app, numbers=numbers)
    return Said(told("pause", kernel.pauses.pause(app=app, tasks=tasks)))


def _resume(words: list[str]) -> Said:
    kernel, app, numbers = _chosen("resume", words)
    tasks = None if numbers is None else choose(kernel, app=app, numbers=numbers)
    return Said(told("resume", kernel.pauses.resume(app=app, tasks=tasks)))


def _chosen(command: str, words: list[str]) -> tuple[DataFlowKernel, str | None, list[int] | None]:
    """Return the kernel and which of its tasks are meant: an app, also without `--app`, or numbers."""
    parser = _Parser(prog=f"%nbflow {command}", add_help=False)
    parser.add_argument("name", nargs="?")
    add_choice(parser)
    given = parser.parse_args(words)
    return current.current(), given.app or given.name, given.task


def _nodes(words: list[str]) -> Any:
    _take(words, 0)
    return nodes()


def _scale(words: list[str]) -> Any:
    parser = _Parser(prog="%nbflow scale", add_help=False)
    parser.add_argument("blocks", type=int)
    parser.add_argument("site", nargs="?")
    given = parser.parse_args(words)
    scale(given.blocks, site=given.site)
    return nodes()


def _sites(words: list[str]) -> Any:
    match words:
        case []:
            rows = site_rows()
            width = max(len(row.site) for row in rows)
            return Said("\n".join(f"{row.site:<{width}}  {row.title or row.problem}" for row in rows))
        case ["check", name]:
            return Said("\n".join(map(str, check_named(name))))
        case ["render", name]:
            return Said(job_script(name))
        case ["stop", name]:
            stop_session(name)
            return sessions()
        case ["sessions"]:
            return sessions()
        case _:
            raise UsageError(
                "%nbflow sites: alone, or with `check NAME`, `render NAME`, `sessions`, `stop NAME`"
            )


def _clear(words: list[str]) -> None:
    _take(words, 0)
    current.clear()


_COMMANDS: dict[str, Callable[[list[str]], Any]] = {
    "status": _status,
    "watch": _watch,
    "progress": _progress,
    "tasks": _tasks,
    "retry": _retry,
    "failures": _failures,
    "debug": _debug,
    "undo": _undo,
    "release": _release,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "nodes": _nodes,
    "scale": _scale,
    "sites": _sites,
    "load": _load,
    "fresh": _fresh,
    "clear": _clear,
}


def _take(words: list[str], most: int) -> str | None:
    if len(words) > most:
        raise UsageError(f"%nbflow: {' '.join(words[most:])!r} is too much; see %nbflow?")
    return words[0] if words else None


@final
class _Parser(argparse.ArgumentParser):
    """Raise instead of ending the process."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{self.prog}: {message}")
