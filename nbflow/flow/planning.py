"""Own the look ahead: `nbflow.plan` takes the calls of a piece of code, looks each up, and submits none.

What a remembered call gave is there for the code to go on with. The result of one that would run is not, so
code that asks for it can be followed no further.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, final

from nbflow.core.ids import AppId, TaskId
from nbflow.core.task import Options, Task
from nbflow.data.file import File
from nbflow.errors import AppTypeError, NotPlannable
from nbflow.flow.current import current
from nbflow.flow.futures.future import AppFuture, DataFuture
from nbflow.flow.futures.inputs import Invocation, walk_futures
from nbflow.flow.internal import DERIVATIONS
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.plan import AppPlan, Plan
from nbflow.flow.recipes import cannot, restore
from nbflow.flow.spec import AppSpec
from nbflow.flow.standin import standing_in
from nbflow.memo.why import Story
from nbflow.wire.messages import PYTHON, Directive, Kind

__all__ = ["plan"]

_HERE = str(Path(__file__).parent.parent)

_JOIN = "a join app: what its body calls is known once it runs"
_NOT_CACHED = "not cached: cache=True is not said"
_WAITS = "its input is not there yet; it is reused if that comes out as before"


def plan(code: Callable[[], object]) -> Plan:
    """Tell what `code()` would run anew and what it would reuse, without running any of its apps.

    The rest of the code does run. Where it asks for a result that is not there, the plan ends, and says so.
    Raises AppTypeError when `code` cannot be called, NotLoaded without a dataflow kernel, and what the code
    raises.
    """
    if not callable(code):
        raise AppTypeError("give plan a function that makes the calls: nbflow.plan(lambda: app.map(values))")
    planner = _Planner()
    try:
        with standing_in(planner):
            code()
    except NotPlannable as error:
        return planner.plan(f"{_place(error.__traceback__)}{error}; what comes after it is not known")
    return planner.plan("")


class _Fate(StrEnum):
    """Say what becomes of a call, by the name of its count in AppPlan."""

    REUSE = "reuse"
    RUN = "run"
    DEPENDS = "depends"


class _Answer(NamedTuple):
    """What becomes of a call, why, and its value if that is known."""

    fate: _Fate
    why: str | Story = ""
    is_known: bool = False
    value: Any = None


@final
class _Planner:
    """Take calls, and be the owner of the futures that stand for them. All of these are settled at once."""

    def __init__(self) -> None:
        kernel = current()
        self.run_dir = kernel.run_dir
        self.journal = kernel.journal
        self._apps: dict[str, AppPlan] = {}
        self._usual: dict[str, float] | None = None
        self._keys: set[bytes] = set()
        self._names: dict[AppId, str] = {}

    def plan(self, unknown: str) -> Plan:
        """Return what was found."""
        return Plan(list(self._apps.values()), unknown)

    # As the dataflow kernel

    def submit(
        self,
        spec: AppSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        options: Options | None = None,
        directive: Directive = PYTHON,
        outputs: Sequence[File] = (),
    ) -> AppFuture[Any]:
        """Look one call up, and return a future of what is known of it."""
        kernel = current()  # the code may have loaded another one
        admitted = kernel.admission.admit(spec.options if options is None else options)
        call = Invocation(None, args, kwargs, directive, has_futures=True)  # type: ignore[arg-type]
        answer = self._foresee(kernel, spec, admitted, call)
        self._count(kernel, spec, directive.label or spec.name, answer)
        return self._future(spec.name, admitted, answer, outputs)

    def _count(self, kernel: DataFlowKernel, spec: AppSpec, name: str, answer: _Answer) -> None:
        app = self._apps.setdefault(name, AppPlan(name))
        is_told = app.run or (app.depends and answer.fate is _Fate.DEPENDS)
        setattr(app, answer.fate, getattr(app, answer.fate) + 1)
        if answer.fate is _Fate.REUSE:
            return
        if not is_told:
            app.why = answer.why if isinstance(answer.why, str) else kernel.memory.explain(answer.why)
        if self._usual is None:
            self._usual = kernel.memory.usual_seconds()
        if spec.name in self._usual:
            app.seconds = (app.run + app.depends) * self._usual[spec.name]

    def submit_all(
        self, spec: AppSpec, calls: Iterable[tuple[Any, ...]], directive: Directive = PYTHON
    ) -> list[AppFuture[Any]]:
        """Look many calls of one app up."""
        return [self.submit(spec, args, {}, directive=directive) for args in calls]

    def derive(self, operation: str, future: AppFuture[Any], key: Any) -> AppFuture[Any]:
        """Return a future of an operation on what is known of a future."""
        spec, answer = DERIVATIONS[operation], _Answer(_Fate.DEPENDS)
        if _is_known(future):
            answer = _Answer(_Fate.REUSE, is_known=True, value=spec.fn(future.result(), key))
        return self._future(spec.name, spec.options, answer, ())

    def _foresee(self, kernel: DataFlowKernel, spec: AppSpec, options: Options, call: Invocation) -> _Answer:
        if spec.kind is Kind.JOIN:
            return _Answer(_Fate.RUN, _JOIN)
        if not options.memoized:
            return _Answer(_Fate.RUN, _NOT_CACHED)
        if any(not _is_known(future) for future in walk_futures((call.args, call.kwargs))):
            return _Answer(_Fate.DEPENDS, _WAITS)
        call.recipe = spec.recipe(travels=kernel.is_remote)
        try:
            found = kernel.memory.foresee(call)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as when it is looked up: the call would be run
            return _Answer(_Fate.RUN, cannot(error))
        if found.is_under_way or found.story.key in self._keys:
            return _Answer(_Fate.REUSE)
        trouble = ""
        if found.entry is not None:
            value, trouble = restore(found.entry)
            if not trouble:
                return _Answer(_Fate.REUSE, is_known=True, value=value)
        self._keys.add(found.story.key)
        return _Answer(_Fate.RUN, trouble or found.story)

    def _future(
        self, name: str, options: Options, answer: _Answer, outputs: Sequence[File]
    ) -> AppFuture[Any]:
        number = len(self._names) + 1
        self._names[AppId(number)] = name
        task = Task(TaskId(number), AppId(number), options)
        future: AppFuture[Any] = AppFuture(self, task)
        future._outputs = tuple(DataFuture(self, task, file) for file in outputs)
        error = None
        if not answer.is_known:
            error = NotPlannable(
                f"the result of a call of {name} is asked for, which nbflow.plan does not run"
            )
        future._settle(answer.value, error)
        for output in future._outputs:
            output._settle(output.file, error)
        return future

    # As the owner of futures: there is no task behind them

    def app_name(self, task: Task) -> str:
        """Return the name of the app whose call a future stands for."""
        return self._names[task.app]

    def before_wait(self) -> None:
        """Be told of a wait that is over at once."""

    def cancel(self, tasks: Iterable[Task]) -> int:
        """Cancel nothing."""
        return 0

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotPlannable("a task is asked for, and nbflow.plan makes none")

    handle = inputs_of = capsule = why_waiting = why_remembered = retry = release = interrupted = _refuse


def _is_known(future: Any) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _place(trace: TracebackType | None) -> str:
    """Return the line of the user's code that a traceback comes from, as the beginning of a sentence."""
    lines = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(_HERE)]
    if not lines or lines[-1].filename.startswith(sys.prefix):
        return ""
    name, line = lines[-1].filename, lines[-1].lineno
    is_cell = name.startswith("<") or "ipykernel_" in name
    return f"line {line} of the cell: " if is_cell else f"{name.rpartition('/')[2]}:{line}: "
