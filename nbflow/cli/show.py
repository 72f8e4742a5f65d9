"""Tell the story of a run: how it stands and what failed; or of one task: its tries, errors, output.

Exit code 1: the run has failed tasks, or the task failed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator

from nbflow.cli.catchup import catch_up
from nbflow.cli.output import (
    FAILED,
    clock,
    counted,
    exit_code,
    json_of,
    run_values,
    status_of,
    took,
)
from nbflow.core.states import State
from nbflow.journal.attempts import Attempt
from nbflow.journal.reader import Reader, open_run
from nbflow.journal.repairs import Repair
from nbflow.journal.rows import ARGUMENT, EdgeRow, UsageRow
from nbflow.journal.table import TaskRecord

__all__ = ["configure", "run"]

MAX_FAILURES = 10
MAX_NEIGHBOURS = 12


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="its name, the start of it, or `last` (the default)",
    )
    parser.add_argument("task", nargs="?", type=int, metavar="TASK", help="the number of a task")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the command says."""
    with open_run(arguments.run) as reader:
        catch_up(reader)
        if arguments.task is None:
            return _show_run(reader, as_json=arguments.json)
        return _show_task(reader, arguments.task, as_json=arguments.json)


def _show_run(reader: Reader, *, as_json: bool) -> int:
    info, counts = reader.info(), reader.counts()
    if as_json:
        print(json_of(run_values(info, counts)))
        return exit_code(counts)
    print(f"run       {info.run}: {status_of(info)}")
    print(f"program   {info.program} (process {info.pid} on {info.host})")
    print(f"started   {clock(info.started, '%Y-%m-%d %H:%M:%S')}")
    if info.ended is not None:
        print(f"ended     {clock(info.ended, '%Y-%m-%d %H:%M:%S')}, after {took(info.ended - info.started)}")
    print(f"tasks     {counted(counts)}")
    print(f"journal   {info.path}")
    for line in _failures(reader):
        print(line)
    return exit_code(counts)


def _failures(reader: Reader) -> Iterator[str]:
    """Group failed tasks by what went wrong, the most frequent first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for record in reader.tasks(state=State.FAILED):
        groups.setdefault((record.app, record.why), []).append(record.task)
    if not groups:
        return
    yield ""
    yield "failures"
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (app, why), tasks in ordered[:MAX_FAILURES]:
        yield f"  {len(tasks)} x {app}: {why}"
        yield f"      nbflow show {reader.info().run} {tasks[0]}"
    if len(ordered) > MAX_FAILURES:
        yield f"  ... and {len(ordered) - MAX_FAILURES} other kinds"


def _show_task(reader: Reader, task: int, *, as_json: bool) -> int:
    record, tries = reader.task(task), reader.attempts(task)
    outputs, edges, repairs = reader.outputs(task), reader.edges_of(task), reader.repairs(task)
    usage = reader.usage(task)
    if as_json:
        values = {
            **record.to_values(),
            "attempts": [_attempt_values(attempt) for attempt in tries],
            "repairs": [_repair_values(repair) for repair in repairs],
            "outputs": [output._asdict() for output in outputs],
            "edges": [edge._asdict() for edge in edges],
            "usage": [used._asdict() for used in usage],
        }
        print(json_of(values))
    else:
        print("\n".join(_story(record, tries, repairs, edges)))
        for used in usage:
            print(f"try {used.try_id:<5} used {_amounts(used)}")
        for output in outputs:
            print(f"\n{output.stream} of try {output.try_id} ({output.nbytes} bytes)\n{output.text.rstrip()}")
    return int(record.state in FAILED)


def _amounts(used: UsageRow) -> str:
    held = "" if used.nbytes is None else f", at most {used.nbytes / 1e6:,.0f} MB of memory"
    return f"{used.cpu_seconds:.2f} s of processor time{held}"


def _story(
    record: TaskRecord, tries: list[Attempt], repairs: list[Repair], edges: list[EdgeRow]
) -> Iterator[str]:
    yield f"task      {record.task}: {record.state.name.lower().replace('_', ' ')}"
    yield f"call      {record.call}"
    yield f"app       {record.label or record.app}"
    if record.origin:
        yield f"from      {' '.join(_origin(record))}"
    yield f"submitted {clock(record.submitted)}"
    yield from _neighbours(record.task, edges)
    for attempt in tries:
        yield _attempt_line(attempt)
        if attempt.why:
            yield f"          there because {attempt.why}"
    for repair in repairs:
        yield f"repair    {clock(repair.time)}: {repair}"
        yield from (f"          {line}" for line in repair.diff())
    if record.why:
        yield f"\n{record.why}"
    text = next((attempt.detail.traceback for attempt in reversed(tries) if attempt.detail.traceback), None)
    if text:
        yield f"\n{text.rstrip()}"


def _origin(record: TaskRecord) -> Iterator[str]:
    yield str(record.origin)
    if record.notebook:
        yield f"of {record.notebook}"
    if record.cell_id:
        yield f"(cell {record.cell_id})"
    if record.source_hash:
        yield f"source {record.source_hash[:12]}"


def _neighbours(task: int, edges: list[EdgeRow]) -> Iterator[str]:
    arguments = [edge for edge in edges if edge.kind == ARGUMENT]
    joined = [edge for edge in edges if edge.kind != ARGUMENT]
    named = {
        "needs": [edge.parent for edge in arguments if edge.child == task],
        "feeds": [edge.child for edge in arguments if edge.parent == task],
        "joins": [edge.child for edge in joined if edge.parent == task],
        "part of": [edge.parent for edge in joined if edge.child == task],
    }
    for name, tasks in named.items():
        if tasks:
            yield f"{name:9} {_listed(tasks)}"


def _listed(tasks: Iterable[int]) -> str:
    counts = Counter(tasks)
    names = [f"task {task}" for task in sorted(counts)[:MAX_NEIGHBOURS]]
    rest = len(counts) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")


def _attempt_line(attempt: Attempt) -> str:
    where = f" on {attempt.slot}" if attempt.slot else ""
    when = f" at {clock(attempt.started)}" if attempt.started else ""
    seconds = attempt.detail.seconds
    how = "" if attempt.end is None else f": {attempt.detail.cause or attempt.end.lower()}"
    return (
        f"try {attempt.try_id:<5} ran{where}{when}{how}{'' if seconds is None else f' after {took(seconds)}'}"
    )


def _repair_values(repair: Repair) -> dict[str, object]:
    return {
        "time": repair.time,
        "try_id": repair.try_id,
        "is_undo": repair.is_undo,
        "by": repair.by,
        "why": repair.why,
        "root": repair.root,
        "code_before": repair.before and repair.before.source,
        "code_after": repair.after and repair.after.source,
    }


def _attempt_values(attempt: Attempt) -> dict[str, object]:
    detail = attempt.detail
    return {
        "try_id": attempt.try_id,
        "slot": attempt.slot,
        "why": attempt.why,
        "started": attempt.started,
        "ended": attempt.ended,
        "end": attempt.end,
        "seconds": detail.seconds,
        "cause": detail.cause,
        "error": detail.error,
        "message": detail.message,
        "traceback": detail.traceback,
    }
