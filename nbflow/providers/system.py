"""Own what a batch system is here: a table of commands, a template, and parsers that are pure functions.

A parser raises Unreadable for a text that its command never writes, an empty one above all: a batch system
that says nothing has not said that a job ended.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from nbflow.providers.job import EndCause, JobId, JobSpec, JobState, JobStatus

__all__ = [
    "NEVER",
    "UTC",
    "BatchSystem",
    "Find",
    "Query",
    "Reports",
    "Unreadable",
    "epoch_seconds",
    "meaning",
    "signal_of",
    "whole_lines",
]

Reports = Mapping[JobId, JobStatus]

UTC: Final = ("env", "TZ=UTC0")
"""Before a command that writes the time of its own zone, without its name."""

NEVER: Final = re.compile(r"(?!)")
"""Matches nothing."""


class Unreadable(Exception):
    """Say why what a command wrote is not one of its answers."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Ask for the state of many jobs with one command.

    `none` is found in its stderr when it fails because it has nothing on these jobs: that is an answer.
    """

    argv: Callable[[Sequence[JobId]], tuple[str, ...]]
    parse: Callable[[str], Reports]
    none: re.Pattern[str] = NEVER


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Ask for the ids of jobs by their name; `none` as for a Query."""

    argv: Callable[[str], tuple[str, ...]]
    parse: Callable[[str, str], Sequence[JobId]]
    """Takes the output and the name."""
    none: re.Pattern[str] = NEVER


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSystem:
    """Say how one batch system is talked to; what differs between systems is in here and nowhere else.

    `queries` are asked in turn, each for the jobs that those before it do not know. `gone` is found in each
    line of what `cancel` says about jobs that have ended.
    """

    title: str
    render: Callable[[JobSpec], str]
    submit: Callable[[JobSpec], tuple[str, ...]]
    parse_submit: Callable[[str], JobId | None]
    queries: tuple[Query, ...]
    find: Find
    cancel: tuple[str, ...]
    gone: re.Pattern[str]


def meaning(words: Mapping[str, JobState | EndCause], word: str) -> tuple[JobState, EndCause | None]:
    """Return what a batch system's word says; a new word says nothing."""
    match words.get(word, JobState.UNKNOWN):
        case EndCause() as cause:
            return JobState.ENDED, cause
        case JobState() as state:
            return state, None


def epoch_seconds(text: str, form: str) -> float | None:
    """Return a time that a command wrote under `UTC`; None for what is none (`form` as for strptime)."""
    try:
        return float(calendar.timegm(time.strptime(text, form)))
    except ValueError:
        return None


def whole_lines(text: str) -> list[str]:
    """Return the lines of a text, but not a last one that was cut off."""
    return text[: text.rfind("\n") + 1].splitlines()


def signal_of(exit_status: int) -> int | None:
    """Return the signal that a shell's exit status stands for."""
    return exit_status - 128 if 128 < exit_status < 192 else None
