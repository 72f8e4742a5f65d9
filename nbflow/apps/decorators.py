"""Own the decorators that make apps: with or without parentheses, types kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar, cast, overload

from nbflow.apps.app import AppFunction, options_for
from nbflow.errors import AppTypeError
from nbflow.flow.options import change_options, ignored
from nbflow.wire.messages import Kind

__all__ = ["App", "bash_app", "join_app", "python_app"]

P = ParamSpec("P")
R = TypeVar("R")
Decorator = Callable[[Callable[P, R]], AppFunction[P, R]]


@overload
def python_app(function: Callable[P, R], /) -> AppFunction[P, R]: ...
@overload
def python_app(**options: Any) -> Callable[[Callable[P, R]], AppFunction[P, R]]: ...
def python_app(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make an app of a Python function: its calls run elsewhere, at once or when their inputs are there.

    Options as for `AppFunction.options`. Raises AppTypeError for something that cannot be called.
    """
    return _make(Kind.PYTHON, function, options)


@overload
def bash_app(function: Callable[P, str], /) -> AppFunction[P, int]: ...
@overload
def bash_app(**options: Any) -> Callable[[Callable[P, str]], AppFunction[P, int]]: ...
def bash_app(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make an app of a function that returns a command line, which bash runs; the result is its exit code, 0.

    `strict=True` runs it with `set -e -u -o pipefail`. Any other exit code raises BashExitFailure.
    """
    return _make(Kind.BASH, function, options)


@overload
def join_app(function: Callable[P, Any], /) -> AppFunction[P, Any]: ...
@overload
def join_app(**options: Any) -> Callable[[Callable[P, Any]], AppFunction[P, Any]]: ...
def join_app(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make an app of a function that calls other apps and returns their futures: its result is their results.

    It runs in this process and holds no worker while it waits. It may return a future, a list, tuple, set,
    dict or dataclass with futures at any depth, or None.
    """
    return _make(Kind.JOIN, function, options)


def App(
    kind: Literal["python", "bash", "join"], **options: Any
) -> Callable[[Callable[P, R]], AppFunction[P, R]]:
    """Return the decorator of that kind: `@App("python")` is `@python_app`.

    Raises AppTypeError for other kinds.
    """
    try:
        known = Kind(kind)
    except ValueError:
        raise AppTypeError(f"App({kind!r}): give 'python', 'bash' or 'join'") from None
    return cast("Callable[[Callable[P, R]], AppFunction[P, R]]", _make(known, None, options))


def _make(kind: Kind, function: Callable[..., Any] | None, given: dict[str, Any]) -> Any:
    options = change_options(options_for(kind), given)
    label, is_strict = given.get("label") or "", given.get("strict") or False
    ignore = ignored(given.get("ignore", ()))

    def decorate(fn: Callable[..., Any]) -> AppFunction[..., Any]:
        inner = fn.fn if isinstance(fn, AppFunction) else fn
        if not callable(inner):
            raise AppTypeError(f"@{kind}_app takes a function, not {type(fn).__name__}")
        app = AppFunction(inner, kind, options, label=label, is_strict=is_strict, ignore=ignore)
        app.publish()
        return app

    return decorate if function is None else decorate(function)
