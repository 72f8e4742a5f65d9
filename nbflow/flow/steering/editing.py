"""Own the editing of a failed task: its source and arguments, and what an edited text makes of them.

An edited function sees the globals and the closure of the one that it replaces, and binds no name: only the
tasks that are run again with it have it.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from types import CodeType, FunctionType
from typing import Any, Final, final

from nbflow.core.states import State
from nbflow.core.task import Task
from nbflow.errors import AppTypeError, NbflowError
from nbflow.flow.futures.describe import describe_value
from nbflow.flow.kernel import DataFlowKernel
from nbflow.flow.request import Request
from nbflow.flow.spec import newest
from nbflow.flow.steering.selection import choose_failed, describe_choice

__all__ = ["Argument", "Draft", "alike", "edit", "function_of", "prepare", "revise", "source_of", "value_of"]

LITERAL_LIMIT: Final = 2_000
"""Characters of an argument that can be edited; a longer one is only described."""

_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_CONTAINERS = (list, tuple, set, dict)
_numbers = count(1)


@final
@dataclass(frozen=True, slots=True)
class Argument:
    """Show one argument of a call: as Python text that can be edited, or described."""

    name: str
    text: str
    is_literal: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Hold what a person starts from who edits a failed task.

    `source` is the function from its `def` on, with `line` as its first line in `filename`; None, with the
    reason in `why_not`, where only the arguments can be edited. `alike` counts the failed tasks of the same
    app with the same error, this one among them; `blocked` what failed because of this task alone,
    `all_blocked` because of any of those.
    """

    task: int
    name: str
    source: str | None
    why_not: str
    filename: str
    line: int
    arguments: tuple[Argument, ...]
    error: str
    alike: int
    blocked: int
    all_blocked: int


def prepare(kernel: DataFlowKernel, task: Task) -> Draft:
    """Gather what can be edited of a failed or cancelled task; raise NbflowError for any other."""
    _check_open(task)
    fn, failed = function_of(kernel, task), alike(kernel, task)
    source, why_not, line = None, "", 0
    try:
        source, line = source_of(fn)
    except NbflowError as error:
        why_not = str(error)
    roots = [other.failure.root for other in kernel.known_tasks() if _is_blocked(other) and other.failure]
    code = getattr(fn, "__code__", None)
    return Draft(
        task=task.id,
        name=kernel.app_name(task),
        source=source,
        why_not=why_not,
        filename=code.co_filename if isinstance(code, CodeType) else "",
        line=line,
        arguments=_arguments(fn, task),
        error=_error_name(task),
        alike=len(failed),
        blocked=roots.count(task.id),
        all_blocked=sum(map(roots.count, {one.id for one in failed})),
    )


def edit(
    kernel: DataFlowKernel,
    task: Task,
    *,
    source: str | None = None,
    arguments: Mapping[str, str] | None = None,
    all_alike: bool = False,
    by: str = "Python",
) -> int:
    """Run a failed task again, edited, and what failed because of it; return how many tasks reopened.

    `source` replaces its function, `arguments` some of its arguments, given as Python literals. With
    `all_alike` the new source is for all failed tasks of its app with the same error; arguments are those of
    one task. Raises SyntaxError or AppTypeError for what cannot be read, and nothing is run then.
    """
    _check_open(task)
    if all_alike and arguments:
        raise AppTypeError("arguments are those of one task: change them for this task alone")
    fn = function_of(kernel, task)
    changed = None if source is None else revise(fn, source)
    args, kwargs = _changed(changed or fn, task, arguments) if arguments else (None, None)
    wanted = alike(kernel, task) if all_alike else [task]
    why = describe_choice(app=kernel.app_name(task), numbers=[one.id for one in wanted])
    return kernel.retry(wanted, Request(fn=changed, args=args, kwargs=kwargs, by=by, why=why))


def value_of(text: str, name: str = "value") -> Any:
    """Return the value of a Python literal; raise AppTypeError for another text, the value of `name`."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise AppTypeError(f"{name} = {text}: give a Python literal, as 3, 'text' or [1, 2]") from error


def function_of(kernel: DataFlowKernel, task: Task) -> Callable[..., Any]:
    """Return the function to edit: the app's newest definition, or the one that this task alone was given."""
    spec = newest(kernel.admission.specs[task.app])
    is_its_own = task.call is not None and spec.seen is not None and spec.seen[1] == task.app
    fn: Callable[..., Any] = task.call.function.fn if is_its_own else spec.fn
    return fn


def alike(kernel: DataFlowKernel, task: Task) -> list[Task]:
    """Return the failed tasks of the same app with the same kind of error, the task itself among them."""
    name, error = kernel.app_name(task), _error_name(task)
    failed = choose_failed(kernel, app=name)
    return [task, *(other for other in failed if other is not task and _error_name(other) == error)]


def source_of(fn: Callable[..., Any]) -> tuple[str, int]:
    """Return the text of a function from its `def` on, and the number of that line in its file.

    Raises NbflowError where a text alone would not make the same function again.
    """
    name = getattr(fn, "__name__", type(fn).__name__)
    if not isinstance(fn, FunctionType) or hasattr(fn, "__wrapped__"):
        raise NbflowError(f"{name} is wrapped by a decorator of its own: edit it in its cell, then retry")
    try:
        lines, first = inspect.getsourcelines(fn)
    except (OSError, TypeError) as error:
        raise NbflowError(f"the source of {name} is not known: {error}") from error
    text = textwrap.dedent("".join(lines))
    try:
        definition = _definition(ast.parse(text))
    except (SyntaxError, AppTypeError) as error:
        raise NbflowError(f"{name} is no `def` of its own: edit it in its cell, then retry") from error
    if definition.name != name:
        raise NbflowError(f"{name} is no `def` of its own: edit it in its cell, then retry")
    start = definition.lineno - 1
    return "".join(text.splitlines(keepends=True)[start:]).rstrip() + "\n", max(1, first) + start


def revise(fn: Callable[..., Any], source: str) -> Callable[..., Any]:
    """Make the function of an edited source in the place of `fn`, with its globals and its closure.

    Raises SyntaxError for a text that is no Python, AppTypeError for one that is not one `def`.
    """
    if not isinstance(fn, FunctionType):
        source_of(fn)  # says why not
        raise AppTypeError(f"{fn!r} is no function")
    filename = f"<nbflow edit {next(_numbers)}: {fn.__name__}>"
    tree = ast.parse(source, filename)
    definition = _definition(tree)
    definition.decorator_list = []
    name, free = definition.name, fn.__code__.co_freevars
    if free:
        tree.body = [_with_closure(definition, free)]
    flags = fn.__code__.co_flags & __future__.annotations.compiler_flag
    code = compile(ast.fix_missing_locations(tree), filename, "exec", flags=flags, dont_inherit=True)
    # Without a time stamp linecache keeps the entry for good: tracebacks and the next edit read it.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    made: dict[str, Any] = {}
    exec(code, fn.__globals__, made)
    revised: FunctionType = made[name]
    if free:
        revised = made[name](*(cell.cell_contents for cell in fn.__closure__ or ()))
    revised.__name__, revised.__qualname__ = fn.__name__, fn.__qualname__
    revised.__module__ = fn.__module__
    return revised


def _definition(tree: ast.Module) -> ast.FunctionDef:
    match tree.body:
        case [ast.FunctionDef() as definition]:
            return definition
    raise AppTypeError("give one function: a text that begins with `def` and has nothing after it")


def _with_closure(definition: ast.FunctionDef, free: tuple[str, ...]) -> ast.FunctionDef:
    """Wrap a definition in a function that takes what it closes over; lines keep their numbers."""
    (outer,) = ast.parse(f"def {definition.name}({', '.join(free)}): return {definition.name}").body
    assert isinstance(outer, ast.FunctionDef)
    outer.body.insert(0, definition)
    return outer


def _check_open(task: Task) -> None:
    if task.state not in (State.FAILED, State.CANCELLED):
        state = task.state.name.lower().replace("_", " ")
        raise NbflowError(f"task {task.id} is {state}: only failed and cancelled tasks can be edited")


def _is_blocked(task: Task) -> bool:
    return task.state in (State.UPSTREAM_FAILED, State.HELD)


def _error_name(task: Task) -> str:
    error = task.failure.error if task.failure is not None else None
    return "" if error is None else type(error).__name__


def _bound(fn: Callable[..., Any], task: Task) -> inspect.BoundArguments:
    return inspect.signature(fn).bind(*task.call.args, **task.call.kwargs)


def _arguments(fn: Callable[..., Any], task: Task) -> tuple[Argument, ...]:
    try:
        bound = _bound(fn, task)
    except (TypeError, ValueError):  # an edited function may take others than the call gives
        return ()
    given = set(bound.arguments)
    bound.apply_defaults()
    shown = []
    for name, value in bound.arguments.items():
        text = _literal(value)
        if text is not None and (name in given or value not in ((), {})):
            shown.append(Argument(name, text, is_literal=True))
        elif name in given:
            shown.append(Argument(name, describe_value(value), is_literal=False))
    return tuple(shown)


def _changed(
    fn: Callable[..., Any], task: Task, texts: Mapping[str, str]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the call's arguments with some of them replaced."""
    try:
        bound = _bound(fn, task)
    except TypeError as error:
        raise AppTypeError(f"{getattr(fn, '__name__', fn)} cannot be called so: {error}") from error
    for name, text in texts.items():
        if name not in bound.signature.parameters:
            takes = ", ".join(bound.signature.parameters)
            raise AppTypeError(f"there is no argument {name!r}; the function takes {takes}")
        bound.arguments[name] = value_of(text, name)
    return bound.args, bound.kwargs


def _literal(value: Any, depth: int = 4) -> str | None:
    """Return a value as Python text that gives it again; None where there is none, or only a long one."""
    if not _is_plain(value, depth):
        return None
    text = repr(value)
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):  # nan, inf, the empty set
        return None
    return text if len(text) <= LITERAL_LIMIT else None


def _is_plain(value: Any, depth: int) -> bool:
    """Tell whether a value is made of plain ones alone: its repr then runs no user's code."""
    kind = type(value)
    if kind in _PLAIN:
        return kind is not int or value.bit_length() <= LITERAL_LIMIT
    if kind not in _CONTAINERS or depth <= 0 or len(value) > LITERAL_LIMIT:
        return False
    parts = [*value, *value.values()] if kind is dict else value
    return all(_is_plain(part, depth - 1) for part in tuple(parts))
