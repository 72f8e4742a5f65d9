"""Own the thread that puts results on disk, and finds those of earlier equal calls, beside the flow loop.

A result is on disk before its future has it, encoded before anybody can change it; what cannot be kept goes
on all the same. Each turn of the loop is one block of the file.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, final

from nbflow.core.events import Event, MemoHit, Returned
from nbflow.core.ids import SlotId, TaskId
from nbflow.core.task import Task
from nbflow.errors import ConfigError, NotMemoizable, ResultsError
from nbflow.executors.protocol import Receipt
from nbflow.flow.answers import Adoption, Answer, Answers, Joining
from nbflow.flow.former.bonds import FOLLOWING, Joined, identities_of
from nbflow.flow.former.past import APART, DONE, FRESH, PICKLED, PLAIN, SENT, Finished, Result, Sent, index_of
from nbflow.flow.futures.inputs import Found, are_atoms
from nbflow.flow.recipes import written_by
from nbflow.flow.reuse.forms import form_of_call, form_of_joined
from nbflow.flow.reuse.restoring import bind, missed
from nbflow.flow.reuse.shelf import Work, code_of
from nbflow.memo.files import digest_of
from nbflow.memo.results import ResultsFile, digest_of_data
from nbflow.wire.messages import PYTHON, Kind
from nbflow.wire.values import is_plain

__all__ = ["Keeper", "results_limit"]

log = logging.getLogger("nbflow")

LIMIT_VARIABLE = "NBFLOW_RESULTS_LIMIT"
DEFAULT_LIMIT = 10 * 10**9
INLINE_NBYTES = 4096
PLAIN_LENGTH = 1024
SHORT, SIZED = frozenset((type(None), bool, int, float)), frozenset((str, bytes, tuple))
RESULTS = frozenset((Returned, MemoHit))
IDLE_SECONDS, BUSY_SECONDS = 1.0, 5.0
"""What was written outlives the machine, too, once nothing came for so long; while results come, so often."""


@final
@dataclass(slots=True)
class _LookUp:
    task: Task


@final
@dataclass(slots=True)
class _Release:
    task: TaskId


@final
@dataclass(slots=True)
class _Do:
    """Run a function of ours in the thread; whoever waits is told when it is done."""

    function: Callable[[], object]
    done: threading.Event


@final
class Keeper:
    """Keep the results of one run, and answer look-ups, through `post`; there is no thread before `open`.

    `is_held` tells whether what a former kernel sent away can still be had.
    """

    def __init__(
        self,
        run: str,
        post: Callable[[Answers], None],
        new_found: Callable[[], Found],
        is_held: Callable[[Sent], bool],
    ) -> None:
        self.run = run
        self._is_held = is_held
        self.is_open = False
        self.has_followers = False
        self._post = post
        self._new_found = new_found
        self._asked: list[Any] = []
        self._queue: SimpleQueue[list[Any]] = SimpleQueue()
        self._rows: list[tuple[Any, ...]] = []
        self._data: list[bytes] = []
        self._data_nbytes = 0
        self._following: dict[TaskId, list[Task]] = {}
        self._floor = 0
        self._has_warned = False
        self._limit = 0
        self._synced = 0.0
        self._recipe: Any = None
        self._code = b""
        """What tells the code of the last recipe, which was looked at in this batch."""

    def open(self, file: ResultsFile) -> None:
        """Start to keep results in `file`."""
        self._limit = results_limit()
        self._file = file
        self._thread = threading.Thread(target=self._work, name="nbflow-results", daemon=True)
        self._thread.start()
        self.is_open = True

    # From the loop

    def keep(self, task: Task, event: Event) -> None:
        """Put a result on disk, then send its event on; any other event goes on behind those before it."""
        self._asked.append((task, event))

    def pass_on(self, receipt: Receipt) -> None:
        """Let a receipt come behind the results that it is about."""
        self._asked.append(receipt)

    def note_sent(self, slot: SlotId, tasks: Sequence[Task]) -> None:
        """Have on disk, now, that tries leave for a slot which may outlive this process."""
        rows = []
        for task in tasks:
            call = task.call
            if call.form is not None and task.id > self._floor:
                parents = identities_of(self.run, task.parents)
                if parents is not None:
                    of_call = call.source.place, code_of(call), call.form, parents
                    rows.append((self.run, task.id, task.try_id, slot, *of_call))
        if rows:
            self._append(SENT, rows, [])

    def look_up(self, task: Task) -> None:
        """Answer with MemoHit or MemoMissed, soon; the bond of the task is the shelf to look at."""
        self._asked.append(_LookUp(task))

    def release(self, task: Task) -> None:
        """Be told that a task ends without a result: those bound to it while it ran are looked up anew."""
        self._asked.append(_Release(task.id))

    def commit(self) -> None:
        """Hand over what was asked in this turn of the loop; return at once."""
        if self._asked:
            self._queue.put(self._asked)
            self._asked = []

    # From users' threads

    def do(self, function: Callable[[], object], timeout: float = 10.0) -> bool:
        """Run `function()`, one of ours, in the thread; return whether it was done in time."""
        done = threading.Event()
        self._queue.put([_Do(function, done)])
        return done.wait(timeout)

    def forget(self, floor: int) -> None:
        """Let nothing that tasks up to number `floor` finish be bound again."""

        def begin_anew() -> None:
            self._floor = floor
            self._append(FRESH, (), [])

        self.do(begin_anew)

    def watch(self, tasks: list[Task]) -> None:
        """Be told of tasks that others may be bound to while they run; only within `do`."""
        for task in tasks:
            self._following.setdefault(task.id, [])
        self.has_followers = bool(self._following)

    def close(self) -> None:
        """Keep what was handed over, and end the thread."""
        if not self.is_open:
            return
        self.is_open = False
        self.commit()
        self._queue.put([None])
        self._thread.join()

    # The thread

    def _work(self) -> None:
        is_over = False
        while not is_over:
            try:
                batch = self._queue.get(timeout=IDLE_SECONDS)
            except Empty:
                self._sync()
                batch = self._queue.get()
            while not self._queue.empty():
                batch += self._queue.get()
            is_over = None in batch
            self._recipe = None  # code may have changed since the last batch; all in this one had ended
            answers: list[Answer] = []
            told: list[threading.Event] = []
            for one in batch:
                self._answer(one, answers, told)
            self._flush()
            if answers:
                self._post(Answers(answers))
            for done in told:
                done.set()
            if time.monotonic() - self._synced > BUSY_SECONDS:
                self._sync()
        self._sync()
        self._file.close()

    def _answer(self, one: Any, answers: list[Answer], told: list[threading.Event]) -> None:
        try:
            self._serve(one, answers, told)
        except Exception:
            # A defect of ours must not leave anybody without an answer.
            log.exception("nbflow could not keep or find a result")
            if isinstance(one, tuple):
                answers.append(one[1])
            elif isinstance(one, _LookUp):
                answers.append(missed(one.task))

    def _serve(self, one: Any, answers: list[Answer], told: list[threading.Event]) -> None:
        if type(one) is tuple:  # by far the most
            task, event = one
            is_kept = self._keep(task, event)
            is_join = type(event) is Returned and task.call.directive.kind is Kind.JOIN
            answers.append(Joining(event) if is_join else event)
            if task.id in self._following:
                answers += self._lead(task, self._flush() if is_kept else None)
            return
        match one:
            case _LookUp():
                answers += self._find(one.task)
            case Receipt():
                answers.append(one)
            case _Release():
                answers += [missed(task) for task in self._following.pop(one.task, ())]
            case _Do():
                self._flush()
                told.append(one.done)
                if answers:
                    self._post(Answers(answers[:]))  # it may ask the loop what is not done
                    answers.clear()
                one.function()

    def _keep(self, task: Task, event: Any) -> bool:
        """Put a result among those that are written next; return whether it can be kept."""
        call = task.call
        if call is None or call.form is None or type(event) not in RESULTS:
            return False
        try:
            if call.directive.kind is Kind.JOIN:
                found = self._new_found()
                found.look_into(event.value)
                if not found.foreign:
                    task.bond = Joined(form_of_joined(event.value, found.tasks), found.tasks)
            elif task.id > self._floor:
                return self._add(task, event.value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may run here; it is not kept then
            log.debug("the result of task %s is not kept: %r", task.id, error)
        return False

    def _add(self, task: Task, value: Any) -> bool:
        call = task.call
        if call.recipe is not self._recipe:
            call.recipe.check()
            self._recipe, self._code = call.recipe, code_of(call)
        if not are_atoms(call.args, call.kwargs):
            _check_arguments(task)
        parents = identities_of(self.run, task.parents) if task.parents else ()
        if parents is None:
            return False
        codec, told = PLAIN, value
        if type(value) not in SHORT and not _is_short(value):
            codec, told = PICKLED, pickle.dumps(value, protocol=5)
            if len(told) > INLINE_NBYTES:
                codec, told = APART, self._put_apart(told)
        paths = () if call.directive is PYTHON else written_by(call)
        outputs = tuple([(path, digest_of(path) or "") for path in paths]) if paths else ()
        name = task.bond.identity if type(task.bond) is Sent else (self.run, task.id)
        # A plain tuple in the order of Finished: a third of the price.
        self._rows.append((*name, call.source.place, self._code, call.form, parents, codec, told, outputs))
        return True

    def _put_apart(self, data: bytes) -> tuple[int, int, bytes]:
        offset = self._data_nbytes
        if self._file.nbytes + offset + len(data) > self._limit:
            self._warn(f"results of this run take {self._limit} bytes ({LIMIT_VARIABLE}); further ones")
            raise ResultsError("it is too large")
        self._data.append(data)
        self._data_nbytes += len(data)
        return offset, len(data), digest_of_data(data)

    def _flush(self) -> Result | None:
        """Write what is to be written; return the last result of it."""
        if not self._rows:
            return None
        rows, data = self._rows, self._data
        self._rows, self._data, self._data_nbytes = [], [], 0
        data_at = self._append(DONE, rows, data)
        return None if data_at is None else Result(Finished._make(rows[-1]), self._file.path, data_at)

    def _append(self, kind: str, content: Any, data: list[bytes]) -> int | None:
        try:
            return self._file.append(index_of(kind, content), data)
        except (OSError, ValueError, MemoryError) as error:  # else nobody got an answer any more
            why = getattr(error, "strerror", None) or error
            self._warn(f"{self._file.path}: {why}. The run goes on; what ends now")
            return None

    def _sync(self) -> None:
        self._synced = time.monotonic()
        try:
            self._file.sync()
        except OSError as error:
            self._warn(f"{self._file.path}: {error.strerror or error}. What ended lately")

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("nbflow: %s cannot be bound after a restart", why)

    # Finding

    def _find(self, task: Task) -> list[Answer]:
        parents = identities_of(self.run, task.parents)
        # What one call of a join app makes are several calls, also while its cell is run again.
        first = task.id if task.spawner is None else task.spawner

        def fits(work: Work) -> bool:
            if isinstance(work, Result):
                is_before = work.finished.run != self.run or work.finished.task < first
                return is_before and work.finished.parents == parents
            if isinstance(work, Sent):
                return work.parents == parents and self._is_held(work)
            return work.id < first and identities_of(self.run, work.parents) == parents

        call, shelf = task.call, task.bond
        while (work := shelf.take(code_of(call), call.form, fits)) is not None:
            if isinstance(work, Result):
                answer = bind(task, work)
                if answer is not None:
                    return [answer, *self._lead(task, work)]
            elif isinstance(work, Sent):
                return [Adoption(task, work)]
            elif work.id in self._following:  # else it failed, or was cancelled
                task.bond = FOLLOWING
                self._following[work.id].append(task)
                return []
        return [missed(task)]

    def _lead(self, leader: Task, result: Result | None) -> list[Answer]:
        """Answer those that were bound to a task while it ran."""
        followers = self._following.pop(leader.id, ())
        self.has_followers = bool(self._following)
        return [(result and bind(task, result)) or missed(task) for task in followers]


def _is_short(value: Any) -> bool:
    return is_plain(value) and (type(value) not in SIZED or len(value) <= PLAIN_LENGTH)


def _check_arguments(task: Task) -> None:
    """Raise NotMemoizable when an argument was changed while the call was under way."""
    call = task.call
    form = form_of_call(call.recipe.binder, call.args, call.kwargs, task.parents, call.directive.outputs)
    if form != call.form:
        raise NotMemoizable("an argument was changed, or a file that it names, while the call was under way")


def results_limit() -> int:
    """Return how many bytes the results of a run may take: `NBFLOW_RESULTS_LIMIT`, or 10 GB.

    Raises ConfigError.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    try:
        return DEFAULT_LIMIT if text is None else int(float(text))
    except (ValueError, OverflowError):
        raise ConfigError(f"{LIMIT_VARIABLE}={text!r}: give a number of bytes, as 5e9") from None
