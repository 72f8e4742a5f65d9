"""Own the thread that looks results up and keeps them, beside the flow loop.

Equal calls that are under way at once become one: the first leads and is run, the others follow and get its
result. A result is on the disk before its task counts as done, and before anybody who could change it has it.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import Any, final

from nbflow.core.events import MemoHit, MemoMissed, Returned
from nbflow.core.ids import TaskId, TryId
from nbflow.core.task import Task
from nbflow.errors import NotMemoizable
from nbflow.flow.describe import describe_named
from nbflow.flow.inputs import Invocation, are_atoms
from nbflow.memo.codec import encode
from nbflow.memo.collect import find_garbage, size_limit
from nbflow.memo.files import digest_of
from nbflow.memo.keys import Binder, Code, Key
from nbflow.memo.places import cache_dir
from nbflow.memo.store import Entry, Record, Store
from nbflow.memo.why import Story, explain
from nbflow.wire.fingerprint import Fingerprinter

__all__ = ["Kept", "Memory", "Recipe"]

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500


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

    def key(self, call: Invocation) -> Key:
        """Return the key of a call whose futures are done. Raises NotMemoizable."""
        if self.code is None:
            raise NotMemoizable(self.trouble)
        args, kwargs = call()
        return self.binder.key(self.code, args, kwargs, written_by(call))


def written_by(call: Invocation) -> tuple[str, ...]:
    """Return the paths of all files that a call writes."""
    directive = call.directive
    if not directive.outputs and directive.stdout is None and directive.stderr is None:
        return ()
    streams = [stream.path for stream in (directive.stdout, directive.stderr) if stream is not None]
    return (*directive.outputs, *streams)


@final
@dataclass(slots=True)
class Kept:
    """A result was kept, or could not be; the event about it goes on its way."""

    event: Returned


@final
@dataclass(slots=True)
class _LookUp:
    task: TaskId
    try_id: TryId
    call: Invocation


@final
@dataclass(slots=True)
class _Keep:
    event: Returned
    call: Invocation


@final
@dataclass(slots=True)
class _Release:
    task: TaskId


@final
class Memory:
    """Answer the look-ups of one dataflow kernel, through `post`; there is no thread before `open`."""

    def __init__(self, post: Callable[[Any], None]) -> None:
        self._post = post
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._leading: dict[TaskId, Key] = {}
        self._following: dict[bytes, list[tuple[TaskId, TryId]]] = {}
        self._stories: dict[TaskId, Story] = {}
        self._serve: dict[type[Any], Callable[[Store, list[Any]], list[Any]]] = {
            _LookUp: self._look_up_all,
            _Keep: self._keep_all,
            _Release: lambda _, released: self._release_all(released),
        }

    # From the loop

    def look_up(self, task: Task) -> None:
        """Answer with MemoHit or MemoMissed, soon."""
        self._queue.put(_LookUp(task.id, task.try_id, task.call))

    def keep(self, task: Task, event: Returned) -> None:
        """Keep a result; answer with Kept, whether it could be kept or not."""
        # The task lets go of its arguments once it is done.
        self._queue.put(_Keep(event, copy.copy(task.call)))

    def release(self, task: Task) -> None:
        """Be told that a task ends without a result: another that waits for it is run."""
        self._queue.put(_Release(task.id))

    # From users' threads

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
        story = self._stories.get(task.id)
        return (
            "not looked up yet: what it waits for is not there"
            if story is None
            else explain(self._store, story)
        )

    def close(self) -> None:
        """Keep what was handed over, bring the store below its limit, and end the thread."""
        store = self._store
        if store is None:
            return
        self._queue.put(None)
        self._thread.join()
        garbage = find_garbage(store, max_nbytes=size_limit())
        if garbage.keys:
            store.remove(garbage.keys)
        store.close()

    # The thread

    def _work(self, store: Store) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < MOST_AT_ONCE and not self._queue.empty():
                batch.append(self._queue.get())
            is_over = None in batch
            for kind, items in groupby((one for one in batch if one is not None), type):
                requests = list(items)
                try:
                    answers = self._serve[kind](store, requests)
                except Exception:
                    # A defect of ours must not leave anybody without an answer.
                    log.exception("nbflow could not remember")
                    answers = [answer for one in requests for answer in self._without_memory(one)]
                if answers:
                    self._post(answers)
            if is_over:
                return

    def _without_memory(self, request: Any) -> Iterable[Any]:
        """Return what lets a task go on as if nothing was remembered, and those that wait for it."""
        match request:
            case _LookUp():
                yield MemoMissed(request.task, request.try_id)
            case _Keep():
                yield from self._release_all([_Release(request.event.task)])
                yield Kept(request.event)
            case _:
                yield from self._release_all([request])

    def _look_up_all(self, store: Store, asked: list[_LookUp]) -> list[Any]:
        answers: list[Any] = []
        keyed: list[tuple[_LookUp, Key]] = []
        for ask in asked:
            try:
                keyed.append((ask, ask.call.recipe.key(ask.call)))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; the call is run then
                self._stories[ask.task] = Story(note=_cannot(error))
                answers.append(MemoMissed(ask.task, ask.try_id))
        found = store.find({key.digest for _, key in keyed if key.digest not in self._following})
        now = time.time()
        for ask, key in keyed:
            answer = self._answer(ask, key, found.get(key.digest), now)
            if answer is not None:
                answers.append(answer)
        return answers

    def _answer(self, ask: _LookUp, key: Key, entry: Entry | None, now: float) -> Any:
        followers = self._following.get(key.digest)
        if followers is not None and ask.task not in self._leading:
            followers.append((ask.task, ask.try_id))
            self._stories[ask.task] = Story(note="hit: an equal call was under way; it waits for that result")
            return None
        trouble = ""
        if entry is not None:
            value, trouble = _restore(entry)
            if not trouble:
                self._stories[ask.task] = _HIT
                return MemoHit(ask.task, ask.try_id, value)
        self._following.setdefault(key.digest, [])
        self._leading[ask.task] = key
        self._stories[ask.task] = Story(
            *(key.digest, key.code.app, key.code.kind, key.code.fingerprint.digest),
            key.code.fingerprint.parts, key.forms, now, trouble,
        )  # fmt: skip
        return MemoMissed(ask.task, ask.try_id)

    def _keep_all(self, store: Store, results: list[_Keep]) -> list[Any]:
        records: list[Record] = []
        answers: list[Any] = []
        for result in results:
            task = result.event.task
            key = self._leading.get(task)
            if key is not None:
                try:
                    record = _record(key, result)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; it is not remembered
                    self._stories[task].note = _cannot(error)
                    answers += self._release_all([_Release(task)])
                else:
                    records.append(record)
                    entry = Entry(record.codec, record.data, record.outputs)
                    answers += self._follow(task, key, entry)
                    # The store has the arguments from here on.
                    self._stories[task].forms = None
            answers.append(Kept(result.event))
        if records:
            store.add(records)
        return answers

    def _follow(self, leader: TaskId, key: Key, entry: Entry) -> Iterable[MemoHit | MemoMissed]:
        del self._leading[leader]
        for task, try_id in self._following.pop(key.digest):
            # Each its own copy: what one user changes, another must not see.
            value, trouble = _restore(entry)
            if trouble:
                self._stories[task] = Story(note=trouble)
            yield MemoMissed(task, try_id) if trouble else MemoHit(task, try_id, value)

    def _release_all(self, released: list[_Release]) -> list[Any]:
        answers: list[Any] = []
        for release in released:
            key = self._leading.pop(release.task, None)
            if key is None:
                for followers in self._following.values():
                    followers[:] = [one for one in followers if one[0] != release.task]
                continue
            followers = self._following[key.digest]
            if not followers:
                del self._following[key.digest]
                continue
            task, try_id = followers.pop(0)
            self._leading[task] = key
            self._stories[task] = Story(note="miss: the equal call that was under way gave no result")
            answers.append(MemoMissed(task, try_id))
        return answers


_HIT = Story(note="hit: the result of an equal call was remembered; nothing was run")


def _cannot(error: BaseException) -> str:
    return f"not remembered: {error}" if isinstance(error, NotMemoizable) else f"not remembered: {error!r}"


def _restore(entry: Entry) -> tuple[Any, str]:
    """Return the value of an entry, or why it is of no use: a file is gone, a class has no such name."""
    for path, digest in entry.outputs:
        if digest_of(path) != digest:
            return None, f"miss: {path}, which the remembered call wrote, is gone or was changed"
    try:
        return entry.value(), ""
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code; the call is run then
        return None, f"miss: what was remembered cannot be read here: {error!r}"


def _record(key: Key, result: _Keep) -> Record:
    """Return what is kept of a result. Raises NotMemoizable when it may not be that of the key."""
    call = result.call
    recipe: Recipe = call.recipe
    if not are_atoms(call.args, call.kwargs) and recipe.key(call).digest != key.digest:
        raise NotMemoizable("an argument was changed, or a file that it names, while the call was under way")
    if recipe.alive is not None and recipe.alive.snapshot().digest != key.code.fingerprint.digest:
        raise NotMemoizable("the code, or something that it uses, was changed while the call was under way")
    codec, data = encode(result.event.value)
    outputs = [(path, digest_of(path) or "") for path in written_by(call)]
    return Record(
        key=key.digest,
        app=key.code.app,
        kind=key.code.kind,
        code=key.code.fingerprint.digest,
        parts=key.code.fingerprint.parts,
        forms=_pictures(recipe, key, call),
        outputs=outputs,
        codec=codec,
        data=data,
    )


def _pictures(recipe: Recipe, key: Key, call: Invocation) -> dict[str, tuple[str, str]]:
    args, kwargs = call()
    named = recipe.binder.named(args, kwargs)
    return {name: (key.forms[name], describe_named(name, value)) for name, value in named}
