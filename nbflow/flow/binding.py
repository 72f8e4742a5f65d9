"""Own where calls come from, and what of earlier work may stand for them: on the user's side of the loop.

A place that is entered again, or that an earlier run knew, has a shelf of the work that its calls did then.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from nbflow.core.graph import Graph
from nbflow.core.task import Task
from nbflow.errors import ResultsError
from nbflow.flow.bonds import CANDIDATE, identities_of
from nbflow.flow.forms import form_of_call
from nbflow.flow.internal import LOCAL_OPTIONS
from nbflow.flow.keeping import Keeper
from nbflow.flow.past import START, Past, Result, index_of, own_key, read_results, results_path
from nbflow.flow.shelf import Shelf, Work, code_of
from nbflow.flow.spec import AppSpec
from nbflow.memo.results import ResultsFile
from nbflow.wire.functions import Function
from nbflow.wire.messages import Kind

__all__ = ["SCRIPT", "Binding"]

log = logging.getLogger("nbflow")

SCRIPT = ""
"""The place of calls that no cell makes."""

SETTLE_SECONDS = 0.3


@final
class Binding:
    """Know the calls of one run by what they are, and let earlier work stand for equal ones.

    `place` is where calls come from now, None where they are not known again. Without `open` nothing is kept,
    and nothing bound.
    """

    def __init__(self, run: str, graph: Graph, keeper: Keeper, ask: Callable[..., Any]) -> None:
        self.place: str | None = SCRIPT
        self.past = Past()
        self._run = run
        self._graph = graph
        self._keeper = keeper
        self._ask = ask
        self._entered = 0
        self._seen: dict[str, int] = {}
        self._shelves: dict[str, Shelf] = {}
        self._own: tuple[int, dict[str, list[Work]]] = (-1, {})
        self._floor = 0
        self._lock = threading.RLock()
        self._under: tuple[Task | None, str | None] = (None, None)
        self._calls: list[Task] = []

    def open(self, lineage: str, after: Path | None) -> None:
        """Keep this run's results, and bind its calls to what was finished before. Raises ResultsError."""
        if after is not None:
            self.past = Past.read(after)
        path = results_path(self._run)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = ResultsFile(path, own_key())
            told = "" if after is None else str(after)
            file.append(index_of(START, (self._run, lineage, told)))
        except OSError as error:
            log.warning("nbflow: %s: %s. Results of this run cannot be bound after a restart", path, error)
            return
        self._keeper.open(file)

    # Where calls come from

    def enter(self, place: str | None) -> None:
        """Be told that a cell begins to run."""
        self.place = place
        self._entered += 1
        self._shelves = {}
        self._calls = []

    def place_under(self, spawner: Task) -> str | None:
        """Return the place of the calls that one call of a join app makes."""
        known, place = self._under
        if known is not spawner:
            call = spawner.call
            place = None
            if call is not None and call.form is not None:
                parents = identities_of(self._run, spawner.parents)
                if parents is not None:
                    told = repr((call.place, code_of(call), call.form, parents)).encode(
                        "utf-8", "surrogatepass"
                    )
                    place = hashlib.sha256(told).hexdigest()[:32]
            self._under = spawner, place
        return place

    def sign(
        self,
        task: Task,
        spec: AppSpec,
        function: Function,
        place: str | None,
        *,
        is_simple: bool,
        travels: bool,
    ) -> None:
        """Note of which call a new task is, and whether earlier work may stand for it."""
        call = task.call
        call.recipe = recipe = spec.recipe_of(function, travels=travels)
        if place is None or recipe.code is None or not self._keeper.is_open:
            return
        outputs = call.directive.outputs
        is_simple = is_simple and not call.kwargs and not outputs and not spec.ignore
        try:
            binder = None if is_simple else recipe.binder
            call.form = form_of_call(binder, call.args, call.kwargs, task.parents, outputs)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code; it is run anew then
            log.debug("a call of %s is not known again: %r", spec.name, error)
            return
        call.place = place
        shelf = self._shelf(place)
        if shelf and spec.kind is not Kind.JOIN and _is_bindable(spec):
            self._calls.append(task)
            if shelf.has(code_of(call), call.form):
                task.bond = CANDIDATE
                task.can_follow = False

    # What stands for them

    def shelf_of(self, task: Task) -> Shelf:
        """Return where the work lies that may stand for a task."""
        return self._shelf(task.call.place)

    def begin_anew(self) -> None:
        """Let nothing that was finished, or is under way, stand for calls from here on."""
        self._floor = self._ask(lambda: max(self._graph.tasks, default=0))
        if self._keeper.is_open:
            self._keeper.forget(self._floor)
        with self._lock:
            self.past = Past()
            self._own = (-1, {})
            self._shelves = {}

    def tell(self) -> str:
        """Return what was bound of the calls of this cell, in one line; nothing when nothing was."""
        calls, self._calls = self._calls, []
        if not any(task.bond is not None for task in calls):
            return ""
        self._keeper.do(lambda: None, SETTLE_SECONDS)
        self._keeper.do(lambda: None, SETTLE_SECONDS)
        bound = [task for task in calls if task.bond is not None]
        if not bound:
            return ""
        runs = dict.fromkeys(task.bond.finished.run for task in bound if isinstance(task.bond, Result))
        others = [run for run in runs if run != self._run]
        source = f"finished work of run {others[0]}" if others else "work that was there already"
        more = f", {len(calls) - len(bound)} run" if len(calls) > len(bound) else ""
        return (
            f"nbflow: {len(bound)} of {len(calls)} calls are bound to {source}{more}. "
            "To run them anew: %nbflow fresh, then the cell again"
        )

    def _shelf(self, place: str) -> Shelf:
        shelf = self._shelves.get(place)
        if shelf is None:
            with self._lock:
                shelf = self._shelves.get(place)
                if shelf is None:
                    shelf = self._shelves[place] = Shelf(self._work_at(place))
        return shelf

    def _work_at(self, place: str) -> list[Work]:
        entered = self._seen.get(place)
        self._seen[place] = self._entered
        work: list[Work] = []
        if entered is not None and entered != self._entered:
            work += self._own_work().get(place, ())
        return [*work, *self.past.at(place)]

    def _own_work(self) -> dict[str, list[Work]]:
        """Return by place what this run has done before this cell began, and what is under way."""
        number, own = self._own
        if number != self._entered:
            own = defaultdict(list)
            self._keeper.do(lambda: self._look_back(own))
            self._own = self._entered, own
        return own

    def _look_back(self, own: dict[str, list[Work]]) -> None:
        try:
            for result in read_results(results_path(self._run))[1]:
                own[result.finished.place].append(result)
        except ResultsError as error:
            log.warning("nbflow: %s", error)
        running = self._ask(self._under_way)
        self._keeper.watch(running)
        for task in running:
            own[task.call.place].append(task)

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


def _is_bindable(spec: AppSpec) -> bool:
    """Tell whether a user wants it: `cache=False` says that every call is to be run."""
    return spec.options.memoized is not False or spec.options is LOCAL_OPTIONS
