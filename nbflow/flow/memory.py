"""Own the thread that looks results up and keeps them, beside the flow loop.

Equal calls that are under way at once become one: the first leads and is run, the others follow and get its
result. A result is on the disk before its task counts as done, and before anybody who could change it has it.
"""

from __future__ import annotations

import ast
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import Any, final

from nbflow.core.events import MemoHit, MemoMissed, Returned
from nbflow.core.ids import TaskId, TryId
from nbflow.core.task import Task
from nbflow.errors import NotMemoizable
from nbflow.executors.protocol import Receipt
from nbflow.flow.answers import Kept
from nbflow.flow.futures.describe import describe_named
from nbflow.flow.futures.inputs import Invocation
from nbflow.memo.codec import encode
from nbflow.memo.collect import find_garbage, size_limit
from nbflow.memo.files import digest_of
from nbflow.memo.keys import Binder, Code, Key
from nbflow.memo.places import cache_dir
from nbflow.memo.store import Entry, Record, Store
from nbflow.memo.why import Story, explain, recall
from nbflow.wire.fingerprint import Fingerprinter
from nbflow.wire.messages import Arguments

__all__ = ["Foresight", "Memory", "Recipe", "cannot", "restore"]

log = logging.getLogger(__name__)

MOST_AT_ONCE = 1000
"""Requests are answered so many at once, so that workers have something to do meanwhile."""


USUAL_SECONDS = "SELECT app, avg(seconds) FROM results JOIN codes ON codes.id = results.code GROUP BY app"
HIT = "hit: the result of an equal call was remembered; nothing was run"
FOLLOWS = "hit: an equal call was under way; it waits for that result"


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """Say how the key of a call is made: what its code was when it was made.

    `code` is None when it cannot be told apart, for the reason `trouble`. `alive` is what runs when it is not
    a copy that runs: it may change until then.
    """

    binder: Binder
    code: Code | None
    trouble: str = ""
    alive: Fingerprinter | None = None

    def key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], outputs: Sequence[str]) -> Key:
        """Return the key of a call, futures replaced by their results. Raises NotMemoizable."""
        if self.code is None:
            raise NotMemoizable(self.trouble)
        return self.binder.key(self.code, args, kwargs, outputs)


def written_by(call: Invocation) -> tuple[str, ...]:
    """Return the paths of all files that a call writes."""
    directive = call.directive
    if not directive.outputs and directive.stdout is None and directive.stderr is None:
        return ()
    streams = [stream.path for stream in (directive.stdout, directive.stderr) if stream is not None]
    return (*directive.outputs, *streams)


@final
@dataclass(slots=True)
class _LookUp:
    task: TaskId
    try_id: TryId
    call: Invocation


@final
@dataclass(slots=True)
class _Release:
    task: TaskId


@final
@dataclass(slots=True)
class _Run:
    """Be a call that is under way, or waits for an equal one. `arguments` are those that may change."""

    task: TaskId
    try_id: TryId
    recipe: Recipe
    key: Key
    arguments: Arguments | None
    asked: float

    def story(self) -> Story:
        """Return what `why` tells of this call; what an argument reads like is added to its form."""
        key, forms = self.key, self.key.forms
        if self.arguments is not None:
            known = ast.literal_eval(forms)
            forms = repr(
                {
                    name: (known[name], describe_named(name, value))
                    if known[name].startswith("=")
                    else known[name]
                    for name, value in self.recipe.binder.named(*self.arguments)
                }
            )
        return Story(key.digest, key.code, forms, self.asked)


@final
@dataclass(frozen=True, slots=True)
class Foresight:
    """Say which call was looked up, what is remembered of it, and whether an equal one is under way."""

    story: Story
    entry: Entry | None
    is_under_way: bool


@final
class Memory:
    """Answer the look-ups of one dataflow kernel, through `post`; there is no thread before `open`."""

    def __init__(self, post: Callable[[Any], None]) -> None:
        self._post = post
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._asked: list[Any] = []
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._leading: dict[TaskId, _Run] = {}
        self._following: dict[bytes, list[_Run] | None] = {}
        self._stories: dict[TaskId, str | bytes] = {}
        self._serve: dict[type[Any], Callable[[Store, list[Any]], list[Any]]] = {
            _LookUp: self._look_up_all,
            Returned: self._keep_all,
            Receipt: lambda _, receipts: [Kept(receipt) for receipt in receipts],
            _Release: lambda _, released: self._release_all(released),
        }

    # From the loop

    def look_up(self, task: Task) -> None:
        """Answer with MemoHit or MemoMissed, soon."""
        self._asked.append(_LookUp(task.id, task.try_id, task.call))

    def keep(self, event: Returned) -> None:
        """Keep a result; answer with Kept, whether it could be kept or not."""
        self._asked.append(event)

    def pass_on(self, receipt: Receipt) -> None:
        """Answer with Kept, behind the results that were to be kept before."""
        self._asked.append(receipt)

    def release(self, task: Task) -> None:
        """Be told that a task ends without a result: another that waits for it is run."""
        self._asked.append(_Release(task.id))

    def commit(self) -> None:
        """Hand over what was asked in this turn of the loop; return at once."""
        if self._asked:
            self._queue.put(self._asked)
            self._asked = []

    # From users' threads

    @property
    def is_open(self) -> bool:
        """Tell whether anything was to be remembered yet."""
        return self._store is not None

    def open(self) -> None:
        """Open the user's store, for the first call that asks for it. Raises ConfigError."""
        if self._store is None:
            with self._opening:
                if self._store is None:
                    size_limit()  # a wrong one is told here, not when all is over
                    store = self._store = Store(cache_dir())
                    self._thread = threading.Thread(
                        target=self._work, args=(store,), name="nbflow-memo", daemon=True
                    )
                    self._thread.start()

    def why(self, task: Task) -> str | None:
        """Return whether a task was run anew, and why; None for one whose result is not remembered."""
        if not task.options.memoized or self._store is None:
            return None
        told = self._stories.get(task.id, "not looked up yet: what it waits for is not there")
        if isinstance(told, str):
            return told
        run = self._leading.get(task.id)
        story = recall(self._store, told) if run is None else run.story()
        if story is None:
            return f"miss: {'failures are not remembered' if task.failure else 'its result was forgotten'}"
        return explain(self._store, story)

    def foresee(self, call: Invocation) -> Foresight:
        """Return what would be found if a call were looked up now; nothing changes. Raises NotMemoizable."""
        self.open()
        store: Store = self._store  # type: ignore[assignment]
        args, kwargs = call()
        key: Key = call.recipe.key(args, kwargs, written_by(call))
        run = _Run(
            TaskId(0), TryId(0), call.recipe, key, None if key.is_plain else (args, kwargs), time.time()
        )
        entry = store.find([key.digest], is_use=False).get(key.digest)
        return Foresight(run.story(), entry, key.digest in self._following)

    def explain(self, story: Story) -> str:
        """Return why a call is not remembered."""
        return "" if self._store is None else explain(self._store, story)

    def usual_seconds(self) -> dict[str, float]:
        """Return how long a call of each app ran, on average of those that are remembered."""
        return dict(self._store.query(USUAL_SECONDS)) if self._store is not None else {}

    def close(self) -> None:
        """Keep what was handed over, bring the store below its limit, and end the thread."""
        store = self._store
        if store is None:
            return
        self.commit()
        self._queue.put([None])
        self._thread.join()
        garbage = find_garbage(store, max_nbytes=size_limit())
        if garbage.keys:
            store.remove(garbage.keys)
        store.close()

    # The thread

    def _work(self, store: Store) -> None:
        is_over = False
        while not is_over:
            batch = self._queue.get()
            while len(batch) < MOST_AT_ONCE and not self._queue.empty():
                batch += self._queue.get()
            is_over = None in batch
            # A task that is released and asked for again must meet these in this order. Others need not: so
            # that what comes in turns is one look at the store, and one transaction.
            for is_release, items in groupby(batch, lambda one: type(one) is _Release):
                requests = [one for one in items if one is not None]
                for kind in (_Release,) if is_release else (Returned, _LookUp, Receipt):
                    self._answer_all(store, kind, [one for one in requests if type(one) is kind])

    def _answer_all(self, store: Store, kind: type[Any], requests: list[Any]) -> None:
        try:
            answers = self._serve[kind](store, requests) if requests else ()
        except Exception:
            # A defect of ours must not leave anybody without an answer.
            log.exception("nbflow could not remember")
            answers = [answer for one in requests for answer in self._without_memory(one)]
        if answers:
            self._post(answers)

    def _without_memory(self, request: Any) -> Iterable[Any]:
        """Return what lets a task go on as if nothing was remembered, and those that wait for it."""
        match request:
            case _LookUp():
                yield MemoMissed(request.task, request.try_id)
            case Returned():
                yield from self._release_all([_Release(request.task)])
                yield Kept(request)
            case Receipt():
                yield Kept(request)
            case _:
                yield from self._release_all([request])

    def _look_up_all(self, store: Store, asked: list[_LookUp]) -> list[Any]:
        answers: list[Any] = []
        runs: list[_Run] = []
        now = time.time()
        for ask in asked:
            recipe: Recipe = ask.call.recipe
            try:
                args, kwargs = ask.call()
                key = recipe.key(args, kwargs, written_by(ask.call))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; the call is run then
                self._stories[ask.task] = cannot(error)
                answers.append(MemoMissed(ask.task, ask.try_id))
            else:
                changeable = None if key.is_plain else (args, kwargs)
                runs.append(_Run(ask.task, ask.try_id, recipe, key, changeable, now))
        found = store.find({run.key.digest for run in runs if run.key.digest not in self._following})
        for run in runs:
            answer = self._answer(run, found.get(run.key.digest))
            if answer is not None:
                answers.append(answer)
        return answers

    def _answer(self, run: _Run, entry: Entry | None) -> Any:
        task, key = run.task, run.key.digest
        if key in self._following and task not in self._leading:
            followers = self._following[key]
            self._following[key] = [run] if followers is None else [*followers, run]
            self._stories[task] = FOLLOWS
            return None
        trouble = ""
        if entry is not None:
            value, trouble = restore(entry)
            if not trouble:
                self._stories[task] = HIT
                return MemoHit(task, run.try_id, value)
        self._following.setdefault(key, None)
        self._leading[task] = run
        self._stories[task] = trouble or key
        return MemoMissed(task, run.try_id)

    def _keep_all(self, store: Store, results: list[Returned]) -> list[Any]:
        records: list[Record] = []
        answers: list[Any] = []
        for event in results:
            run = self._leading.get(event.task)
            if run is not None:
                try:
                    record = _record(run, event)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; it is not remembered
                    self._stories[event.task] = cannot(error)
                    answers += self._release_all([_Release(event.task)])
                else:
                    records.append(record)
                    self._follow(run, record, answers)
            answers.append(Kept(event))
        if records:
            store.add(records)
        return answers

    def _follow(self, leader: _Run, record: Record, answers: list[Any]) -> None:
        del self._leading[leader.task]
        for run in self._following.pop(leader.key.digest) or ():
            # Each its own copy: what one user changes, another must not see.
            value, trouble = restore(Entry(record.codec, record.data, record.outputs))
            if trouble:
                self._stories[run.task] = trouble
            answers.append(
                MemoMissed(run.task, run.try_id) if trouble else MemoHit(run.task, run.try_id, value)
            )

    def _release_all(self, released: list[_Release]) -> list[Any]:
        answers: list[Any] = []
        for release in released:
            leader = self._leading.pop(release.task, None)
            if leader is None:
                for waiting in filter(None, self._following.values()):
                    waiting[:] = [one for one in waiting if one.task != release.task]
                continue
            followers = self._following[leader.key.digest]
            if not followers:
                del self._following[leader.key.digest]
                continue
            run = followers.pop(0)
            self._leading[run.task] = run
            self._stories[run.task] = "miss: the equal call that was under way gave no result"
            answers.append(MemoMissed(run.task, run.try_id))
        return answers


def cannot(error: BaseException) -> str:
    """Return why nothing is remembered of a call."""
    return f"not remembered: {error}" if isinstance(error, NotMemoizable) else f"not remembered: {error!r}"


def restore(entry: Entry) -> tuple[Any, str]:
    """Return the value of an entry, or why it is of no use: a file is gone, a class has no such name."""
    for path, digest in entry.outputs:
        if digest_of(path) != digest:
            return None, f"miss: {path}, which the remembered call wrote, is gone or was changed"
    try:
        return entry.value(), ""
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code; the call is run then
        return None, f"miss: what was remembered cannot be read here: {error!r}"


def _record(run: _Run, event: Returned) -> Record:
    """Return what is kept of a result. Raises NotMemoizable when it may not be that of the key."""
    recipe, key = run.recipe, run.key
    forms = key.forms
    if run.arguments is not None:
        if recipe.key(*run.arguments, key.outputs).digest != key.digest:
            raise NotMemoizable(
                "an argument was changed, or a file that it names, while the call was under way"
            )
        forms = run.story().forms
    if recipe.alive is not None and recipe.alive.snapshot().digest != key.code.fingerprint.digest:
        raise NotMemoizable("the code, or something that it uses, was changed while the call was under way")
    codec, data = encode(event.value)
    outputs = [(path, digest_of(path) or "") for path in key.outputs]
    return Record(key.digest, key.code, forms, outputs, codec, data, run.asked, event.seconds)
