"""Own where calls come from, and what of earlier work may stand for them: on the user's side of the loop.

A place that is entered again, or that an earlier run knew, has a shelf of the work that its calls did then.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, final

from nbflow.core.graph import Graph
from nbflow.core.task import Task
from nbflow.errors import ResultsError
from nbflow.flow.former.bonds import FOLLOWING, identities_of
from nbflow.flow.former.past import (
    START,
    Lineage,
    Past,
    Result,
    Sent,
    index_of,
    own_key,
    read_results,
    results_path,
)
from nbflow.flow.internal import LOCAL_OPTIONS
from nbflow.flow.reuse.forms import form_of_call
from nbflow.flow.reuse.keeping import Keeper
from nbflow.flow.reuse.shelf import Shelf, Source, Work, code_of, number_of
from nbflow.flow.spec import AppSpec
from nbflow.journal.rows import CellRow
from nbflow.memo.results import ResultsFile
from nbflow.wire.functions import Function
from nbflow.wire.messages import Kind

__all__ = ["SCRIPT", "Binding"]

log = logging.getLogger("nbflow")

SCRIPT = ""
"""The place of calls that no cell makes."""

SETTLE_SECONDS, LOOK_SECONDS = 0.3, 0.005
"""How long the end of a cell waits for the answer which of its calls are bound, and how often it looks."""


@final
class Binding:
    """Know the calls of one run by what they are, and let earlier work stand for equal ones.

    `source` is where calls come from now, None where they are not known again. Without `open` nothing is
    kept, and nothing bound.
    """

    def __init__(self, run: str, graph: Graph, keeper: Keeper, ask: Callable[..., Any]) -> None:
        self.source: Source | None = Source(SCRIPT, {})
        self.past = Past()
        self._run = run
        self._graph = graph
        self._keeper = keeper
        self._ask = ask
        self._entered = 0
        self._runs_of_cell: Counter[str] = Counter()
        self._seen: dict[str, int] = {}
        self._own: dict[str, list[Result]] = defaultdict(list)
        self._own_end = 0
        self._running: dict[str, list[Task]] = defaultdict(list)
        self._looked_back = -1
        self._floor = 0
        self._lock = threading.RLock()
        self._under: tuple[Task | None, Source | None] = (None, None)
        self._calls: list[Task] = []

    def open(self, lineage: Lineage) -> None:
        """Keep this run's results, and bind its calls to what was finished before.

        Raises ResultsError when somebody chose results that cannot be read.
        """
        if lineage.after is not None:
            try:
                self.past = Past.read(lineage.after)
            except ResultsError as error:
                if lineage.is_chosen:
                    raise
                log.warning("nbflow: %s. What they hold is run again", error)
        path = results_path(self._run)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = ResultsFile(path, own_key())
            after = str(lineage.after or "") if lineage.is_chosen else None
            file.append(index_of(START, (self._run, lineage.name, time.time_ns(), after)))
        except (OSError, ResultsError) as error:
            log.warning("nbflow: %s: %s. Results of this run cannot be bound after a restart", path, error)
            return
        self._keeper.open(file)

    # Where calls come from

    def enter(self, cell: CellRow | None) -> None:
        """Be told that a cell begins to run; None for calls that are not known again."""
        self.source = None if cell is None else Source(self._place_of(cell), {})
        self._entered += 1
        self._calls = []

    def _place_of(self, cell: CellRow) -> str:
        if cell.cell_id is not None:
            return f"cell {cell.cell_id}"
        # Without an id it is the first, the second ... run of a cell that reads like this.
        self._runs_of_cell[cell.source_hash] += 1
        return f"text {cell.source_hash} {self._runs_of_cell[cell.source_hash]}"

    def source_under(self, spawner: Task) -> Source | None:
        """Return the source of the calls that one call of a join app makes."""
        known, source = self._under
        if known is not spawner:
            source = self._source_under(spawner)
            self._under = spawner, source
        return source

    def _source_under(self, spawner: Task) -> Source | None:
        call = spawner.call
        parents = identities_of(self._run, spawner.parents)
        if call is None or call.form is None or parents is None:
            return None
        told = repr((call.source.place, code_of(call), call.form, parents))
        place = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return Source(place, call.source.shelves)

    def sign(
        self,
        task: Task,
        spec: AppSpec,
        function: Function,
        source: Source | None,
        *,
        is_simple: bool,
        travels: bool,
    ) -> None:
        """Note of which call a new task is, and whether earlier work may stand for it."""
        call = task.call
        call.recipe = recipe = spec.recipe_of(function, travels=travels)
        if source is None or recipe.code is None or not self._keeper.is_open:
            return
        outputs = call.directive.outputs
        is_simple = is_simple and not call.kwargs and not outputs and not spec.ignore
        try:
            binder = None if is_simple else recipe.binder
            call.form = form_of_call(binder, call.args, call.kwargs, task.parents, outputs)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code; it is run anew then
            log.debug("a call of %s is not known again: %r", spec.name, error)
            return
        call.source = source
        shelf = self._shelf(source)
        if shelf and spec.kind is not Kind.JOIN and _is_bindable(spec):
            if self._entered:
                self._calls.append(task)
            if shelf.has(code_of(call), call.form):
                task.bond = shelf
                task.can_follow = False

    # What stands for them

    def begin_anew(self) -> None:
        """Let nothing that was finished, or is under way, stand for calls from here on."""
        self._floor = self._ask(lambda: max(self._graph.tasks, default=0))
        if self._keeper.is_open:
            self._keeper.forget(self._floor)
        with self._lock:
            self.past = Past()
            self._own.clear()
            self._looked_back = -1
            if self.source is not None:
                self.source = Source(self.source.place, {})

    def tell(self) -> str:
        """Return what was bound of the calls of this cell, in one line; nothing when nothing was."""
        calls, self._calls = self._calls, []
        self._await_answers(calls)
        found = [task.bond.identity[0] for task in calls if isinstance(task.bond, Result | Sent)]
        following = sum(task.bond is FOLLOWING for task in calls)
        undecided = sum(map(_is_undecided, calls))
        bound = len(found) + following
        if not bound:
            return ""
        others = [run for run in dict.fromkeys(found) if run != self._run]
        more = " and others" if len(others) > 1 else ""
        source = f"work of run {others[0]}{more}" if others else "work that was there already"
        run = len(calls) - bound - undecided
        more = (f", {run} run" if run else "") + (f", {undecided} wait for others" if undecided else "")
        return (
            f"nbflow: {bound} of {len(calls)} calls are bound to {source}{more}. "
            "To run them anew: nbflow.load(fresh=True)"
        )

    def _await_answers(self, calls: Sequence[Task]) -> None:
        """Wait a moment until it is known which calls are bound; some have to wait for those before them."""
        end = time.monotonic() + SETTLE_SECONDS
        while any(map(_is_undecided, calls)) and time.monotonic() < end:
            self._keeper.do(lambda: None, SETTLE_SECONDS)
            time.sleep(LOOK_SECONDS)

    def _shelf(self, source: Source) -> Shelf:
        shelves, place = source.shelves, source.place
        shelf = shelves.get(place)
        if shelf is None:
            with self._lock:
                shelf = shelves.get(place)
                if shelf is None:
                    shelf = shelves[place] = Shelf(self._work_at(place))
        return shelf

    def _work_at(self, place: str) -> list[Work]:
        entered = self._seen.get(place)
        self._seen[place] = self._entered
        own: list[Work] = []
        if entered is not None and entered != self._entered:
            if self._looked_back != self._entered:
                self._keeper.do(self._look_back)
                self._looked_back = self._entered
            own = sorted([*self._own[place], *self._running[place]], key=number_of)
        return [*own, *self.past.at(place)]

    def _look_back(self) -> None:
        """Take in what this run has done before this cell began, and what is under way."""
        try:
            left = read_results(results_path(self._run), self._own_end)
        except ResultsError as error:
            log.warning("nbflow: %s", error)
        else:
            self._own_end = left.end
            for result in left.results:
                self._own[result.finished.place].append(result)
        running = self._ask(self._under_way)
        self._keeper.watch(running)
        self._running = defaultdict(list)
        for task in running:
            self._running[task.call.source.place].append(task)

    def _under_way(self) -> list[Task]:
        """Return what runs and may be bound to; in the loop's thread, so that none ends unheard."""
        self._keeper.has_followers = True
        return [
            task
            for task in self._graph.tasks.values()
            if not task.state.is_final
            and task.id > self._floor
            and task.call.form is not None
            and task.call.recipe.code is not None
            and task.call.directive.kind is not Kind.JOIN
        ]


def _is_undecided(task: Task) -> bool:
    return type(task.bond) is Shelf and not task.state.is_final


def _is_bindable(spec: AppSpec) -> bool:
    """Tell whether a user wants it: `cache=False` says that every call is to be run."""
    return spec.options.memoized is not False or spec.options is LOCAL_OPTIONS
