"""Own the thread that looks results up and keeps them, beside the flow loop.

Equal calls that are under way at once become one: the first leads and is run, the others follow and get its
result. A result is on the disk before its task counts as done, and before anybody who could change it has it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, final

from nbflow.core.events import MemoHit, MemoMissed, Returned
from nbflow.core.ids import TaskId, TryId
from nbflow.core.task import Task
from nbflow.executors.protocol import Receipt
from nbflow.flow.answers import Kept
from nbflow.flow.futures.inputs import Invocation
from nbflow.flow.recipes import Inquiry, Recipe, cannot, inquire, restore
from nbflow.memo.collect import find_garbage, size_limit
from nbflow.memo.keys import Code
from nbflow.memo.places import cache_dir
from nbflow.memo.recent import Row
from nbflow.memo.store import Entry, Store
from nbflow.memo.why import Story, explain, recall

__all__ = ["Foresight", "Memory"]

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_AT_ONCE = 1000
"""Requests are answered so many at once, so that workers have something to do meanwhile."""

IDLE_SECONDS = 1.0
"""What was kept goes into the index of the store once nothing was asked for so long."""

USUAL_SECONDS = "SELECT app, avg(seconds) FROM results JOIN codes ON codes.id = results.code GROUP BY app"
HIT = "hit: the result of an equal call was remembered; nothing was run"
FOLLOWS = "hit: an equal call was under way; it waits for that result"

LookUp = tuple[TaskId, TryId, Invocation]


@final
@dataclass(slots=True)
class _Turn:
    """What was asked in one turn of the loop, by kind; the releases before all else.

    A task that is released and asked for again must meet these in this order. Others need not.
    """

    releases: list[TaskId] = field(default_factory=list)
    results: list[Returned] = field(default_factory=list)
    look_ups: list[LookUp] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.releases) + len(self.results) + len(self.look_ups) + len(self.receipts)

    def absorb(self, later: _Turn) -> None:
        """Take in a turn that has no releases."""
        self.results += later.results
        self.look_ups += later.look_ups
        self.receipts += later.receipts


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
        self._asked = [_Turn()]
        self._queue: SimpleQueue[list[_Turn] | None] = SimpleQueue()
        self._leading: dict[TaskId, Inquiry] = {}
        self._following: dict[bytes, list[Inquiry] | None] = {}
        self._stories: dict[TaskId, str | bytes] = {}

    # From the loop

    def look_up(self, task: Task) -> None:
        """Answer with MemoHit or MemoMissed, soon."""
        self._asked[-1].look_ups.append((task.id, task.try_id, task.call))

    def keep(self, event: Returned) -> None:
        """Keep a result; answer with Kept, whether it could be kept or not."""
        self._asked[-1].results.append(event)

    def pass_on(self, receipt: Receipt) -> None:
        """Answer with Kept, behind the results that were to be kept before."""
        self._asked[-1].receipts.append(receipt)

    def release(self, task: Task) -> None:
        """Be told that a task ends without a result: another that waits for it is run."""
        turn = self._asked[-1]
        if len(turn) > len(turn.releases):
            turn = _Turn()
            self._asked.append(turn)
        turn.releases.append(task.id)

    def commit(self) -> None:
        """Hand over what was asked in this turn of the loop; return at once."""
        if self._asked[0]:
            self._queue.put(self._asked)
            self._asked = [_Turn()]

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
        inquiry = inquire(TaskId(0), TryId(0), call, time.time())
        entry = store.find([inquiry.key], is_use=False).get(inquiry.key)
        return Foresight(inquiry.story(), entry, inquiry.key in self._following)

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
        self._queue.put(None)
        self._thread.join()
        garbage = find_garbage(store, max_nbytes=size_limit())
        if garbage.keys:
            store.remove(garbage.keys)
        store.close()

    # The thread

    def _work(self, store: Store) -> None:
        while (turns := self._next_turns(store)) is not None:
            for turn in turns:
                self._serve(turn.releases, self._release_all, self._release_all)
                self._serve(turn.results, partial(self._keep_all, store), self._keep_none)
                self._serve(turn.look_ups, partial(self._look_up_all, store), _miss_all)
                self._serve(turn.receipts, _pass_all, _pass_all)

    def _next_turns(self, store: Store) -> list[_Turn] | None:
        """Return what was asked, as few turns as can be; None when all is over."""
        try:
            turns = self._queue.get(timeout=IDLE_SECONDS)
        except Empty:
            store.settle()
            turns = self._queue.get()
        while turns is not None and len(turns[-1]) < MOST_AT_ONCE and not self._queue.empty():
            more = self._queue.get()
            if more is None:
                self._queue.put(None)  # the next ones
                break
            for turn in more:
                # What comes in one turn is one look at the store, and one transaction.
                if turn.releases:
                    turns.append(turn)
                else:
                    turns[-1].absorb(turn)
        return turns

    def _serve(
        self,
        requests: list[T],
        serve: Callable[[list[T]], Iterable[Any]],
        give_up: Callable[[list[T]], Iterable[Any]],
    ) -> None:
        """Answer requests of one kind; `give_up` lets tasks go on as if nothing was remembered."""
        if not requests:
            return
        try:
            answers = list(serve(requests))
        except Exception:
            # A defect of ours must not leave anybody without an answer.
            log.exception("nbflow could not remember")
            answers = list(give_up(requests))
        if answers:
            self._post(answers)

    def _look_up_all(self, store: Store, asked: list[LookUp]) -> list[Any]:
        answers: list[Any] = []
        inquiries: list[Inquiry] = []
        now = time.time()
        for task, try_id, call in asked:
            try:
                inquiries.append(inquire(task, try_id, call, now))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; the call is run then
                self._stories[task] = cannot(error)
                answers.append(MemoMissed(task, try_id))
        found = store.find(
            {one.key for one in inquiries if one.key not in self._following},
            {one.code.number for one in inquiries},
        )
        for inquiry in inquiries:
            answer = self._answer(inquiry, found.get(inquiry.key))
            if answer is not None:
                answers.append(answer)
        return answers

    def _answer(self, run: Inquiry, entry: Entry | None) -> Any:
        task, key = run.task, run.key
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
        rows: list[Row] = []
        codes: dict[int, Code] = {}
        answers: list[Any] = []
        checked: Recipe | None = None
        now = time.time()
        for event in results:
            inquiry = self._leading.get(event.task)
            if inquiry is None:
                continue
            try:
                if inquiry.recipe is not checked:  # once will do: all these calls had ended
                    inquiry.recipe.check()
                    checked = inquiry.recipe
                entry = inquiry.keep(event.value)
                rows.append(inquiry.row(entry, now, event.seconds))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; it is not remembered
                self._stories[event.task] = cannot(error)
                answers += self._release_all([event.task])
                continue
            codes[inquiry.code.number] = inquiry.code
            del self._leading[event.task]
            followers = self._following.pop(inquiry.key)
            if followers:
                answers += self._follow(followers, entry)
        if rows:
            store.add(rows, codes.values())
        answers.append(Kept(results))
        return answers

    def _keep_none(self, results: list[Returned]) -> list[Any]:
        return [*self._release_all([event.task for event in results]), Kept(results)]

    def _follow(self, followers: list[Inquiry], entry: Entry) -> Iterable[Any]:
        for run in followers:
            # Each its own copy: what one user changes, another must not see.
            value, trouble = restore(entry)
            if trouble:
                self._stories[run.task] = trouble
            yield MemoMissed(run.task, run.try_id) if trouble else MemoHit(run.task, run.try_id, value)

    def _release_all(self, released: list[TaskId]) -> list[Any]:
        answers: list[Any] = []
        for task in released:
            leader = self._leading.pop(task, None)
            if leader is None:
                for waiting in filter(None, self._following.values()):
                    waiting[:] = [one for one in waiting if one.task != task]
                continue
            followers = self._following[leader.key]
            if not followers:
                del self._following[leader.key]
                continue
            run = followers.pop(0)
            self._leading[run.task] = run
            self._stories[run.task] = "miss: the equal call that was under way gave no result"
            answers.append(MemoMissed(run.task, run.try_id))
        return answers


def _miss_all(asked: list[LookUp]) -> list[MemoMissed]:
    return [MemoMissed(task, try_id) for task, try_id, _ in asked]


def _pass_all(receipts: list[Receipt]) -> list[Kept]:
    return [Kept(receipts)]
