"""Own the app: a function whose calls become tasks."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar, final, overload

from nbflow.apps.files import as_files, as_stream
from nbflow.apps.signature import RESERVED, AppSignature
from nbflow.core.task import Options
from nbflow.data.file import File
from nbflow.errors import AppTypeError, ConfigError
from nbflow.flow.current import taker
from nbflow.flow.futures.cards import card
from nbflow.flow.futures.future import AppFuture
from nbflow.flow.internal import LOCAL_OPTIONS
from nbflow.flow.options import change_options, check_walltime, ignored
from nbflow.flow.spec import AppSpec
from nbflow.flow.standin import Taker, stand_in
from nbflow.wire.functions import Portable
from nbflow.wire.messages import Directive, Kind

__all__ = ["AppFunction", "adopt"]

P = ParamSpec("P")
R = TypeVar("R")


@final
class AppFunction(Generic[P, R]):
    """Be a function whose calls become tasks: `app(...)` returns an AppFuture at once.

    `app.fn(...)` runs it here and now, `app.map(...)` submits many calls, `app.options(...)` returns a copy
    that runs otherwise.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        kind: Kind,
        options: Options,
        *,
        label: str = "",
        is_strict: bool = False,
        portable: Portable | None = None,
        ignore: frozenset[str] = frozenset(),
    ) -> None:
        if kind is Kind.JOIN and options.memoized:
            raise ConfigError(
                "cache=True is for python and bash apps: a join app runs, and what it calls is cached"
            )
        functools.update_wrapper(self, fn)
        self.fn = fn
        self._spec = AppSpec(fn, kind, options, portable, ignore)
        self._signature = signature = AppSignature(fn)
        self._directive = self._spec.directive = Directive(
            kind=kind, is_strict=is_strict, walltime=options.walltime, label=label, app=self._spec.name
        )
        self._fewest = signature.fewest
        # A default such as stdout=AUTO has to be read at every call.
        self._most = -1 if any(signature.defaults.values()) else signature.most

    # The first signature is the function's own; the second lets any argument be a future of itself.
    @overload
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> AppFuture[R]: ...
    @overload
    def __call__(self, /, *args: Any, **kwargs: Any) -> AppFuture[R]: ...
    def __call__(self, /, *args: Any, **kwargs: Any) -> AppFuture[R]:
        """Make a task of this call and return its future at once.

        Raises AppTypeError when the function does not take these arguments, NotLoaded without a dataflow
        kernel.
        """
        if kwargs or not self._fewest <= len(args) <= self._most:
            return self._call_with_care(taker(), args, kwargs)
        return taker().submit(self._spec, args, kwargs, directive=self._directive)

    def map(self, *iterables: Iterable[Any]) -> list[AppFuture[R]]:
        """Submit one call for each set of arguments, as the built-in `map` does; return their futures."""
        kernel = taker()
        if not iterables:
            raise AppTypeError(f"{self._spec.name}.map(): give at least one iterable")
        if self._fewest <= len(iterables) <= self._most:
            return kernel.submit_all(self._spec, zip(*iterables, strict=False), self._directive)
        return [self._call_with_care(kernel, args, {}) for args in zip(*iterables, strict=False)]

    def options(self, **changes: Any) -> AppFunction[P, R]:
        """Return a copy that runs with other options.

        `cores`, `memory` (bytes or '2 GB'), `gpus`, `nodes` (whole ones), `ranks_per_node`, `walltime`
        (seconds), `retries` (a count or a RetryPolicy), `executors` (labels) or `sites` (names), `priority`,
        `label`, `strict` (bash), `cache` (remember results, or not) and `ignore` (names of arguments that do
        not count for that). Raises ConfigError for others.
        """
        return self._copy(self.fn, changes, self._spec.portable)

    def revised(self, fn: Callable[P, R]) -> AppFunction[P, R]:
        """Return the app with another function and the same options."""
        return self._copy(fn, {}, None)

    def publish(self) -> None:
        """Make this the definition that retries use; not one that a plan makes."""
        if stand_in() is None:
            self._spec.publish()

    def _copy(
        self, fn: Callable[P, R], changes: dict[str, Any], portable: Portable | None
    ) -> AppFunction[P, R]:
        return AppFunction(
            fn,
            self._spec.kind,
            change_options(self._spec.options, changes),
            label=changes.get("label", self._directive.label) or "",
            is_strict=changes.get("strict", self._directive.is_strict) or False,
            portable=portable,
            ignore=ignored(changes["ignore"]) if "ignore" in changes else self._spec.ignore,
        )

    def _call_with_care(self, kernel: Taker, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AppFuture[R]:
        """Submit a call with keyword arguments, of which some may be nbflow's own."""
        signature = self._signature
        given = {name: kwargs[name] for name in RESERVED if name in kwargs}
        passed = {
            name: value
            for name, value in kwargs.items()
            if name not in given or name in signature.declared or name == "inputs"
        }
        signature.check(args, passed)
        reserved = signature.defaults | given
        directive, options, files = self._directive, None, list[File]()
        if not given and not any(reserved.values()):
            return kernel.submit(self._spec, args, passed, directive=directive)
        if reserved.get("outputs"):
            files = as_files(reserved["outputs"])
            passed["outputs"] = files
        streams = {
            what: as_stream(reserved.get(what), what=what, app=self._spec.name, run_dir=kernel.run_dir)
            for what in ("stdout", "stderr")
        }
        for what, stream in streams.items():
            if stream is not None and what in signature.declared:
                passed[what] = stream.path
        changes = _resource_changes(reserved)
        # None that is given means no walltime; the function's own default may only mean that it declares one.
        if "walltime" in given or reserved.get("walltime") is not None:
            changes["walltime"] = reserved["walltime"]
        if changes:
            options = change_options(self._spec.options, changes)
        directive = replace(
            directive,
            stdout=streams["stdout"],
            stderr=streams["stderr"],
            outputs=tuple(file.path for file in files),
            walltime=check_walltime(changes.get("walltime", directive.walltime)),
        )
        if "outputs" not in signature.declared:
            passed.pop("outputs", None)
        return kernel.submit(self._spec, args, passed, options=options, directive=directive, outputs=files)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        module = sys.modules.get(self._spec.module)
        if self._spec.module != "__main__" and getattr(module, self._spec.name, None) is self:
            return self._spec.name
        directive = self._directive
        spec = self._spec
        return _revive, (self.fn, spec.kind, spec.options, directive.label, directive.is_strict, spec.ignore)

    def __memo_key__(self) -> Any:
        """Tell the app from others where a function that is cached reaches it."""
        return self.fn, str(self._spec.kind), self._directive.is_strict

    def __repr__(self) -> str:
        return f"<{self._spec.kind} app {self._spec.module}.{self._spec.name}>"

    def _repr_html_(self) -> str:
        about = (inspect.getdoc(self.fn) or "").partition("\n")[0]
        walltime = self._directive.walltime
        facts = [
            ("call", f"{self._spec.name}{inspect.signature(self.fn)}"),
            ("about", about),
            ("walltime", "" if walltime is None else f"{walltime:g} s"),
            ("executors", ", ".join(sorted(self._spec.options.executors))),
        ]
        return card(repr(self), facts)


def adopt(known: Any, revised: Callable[..., Any]) -> bool:
    """Put a revised function in the place of `known` under its app's name, as its cell would do if run again.

    Returns False, and changes nothing, where that name does not stand for that app now.
    """
    namespace = getattr(known, "__globals__", {})
    app = namespace.get(getattr(known, "__name__", None))
    if not isinstance(app, AppFunction) or app.fn is not known:
        return False
    newer = namespace[known.__name__] = app.revised(revised)
    newer.publish()
    return True


def _resource_changes(reserved: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("parsl_resource_specification", "nbflow_resources"):
        given = reserved.get(name)
        if given is not None:
            if not isinstance(given, dict):
                raise AppTypeError(f"{name}={given!r}: give a dict such as {{'cores': 2, 'memory': '1 GB'}}")
            for other in given.keys() & {"label", "strict"}:
                raise AppTypeError(f"{name}={given!r}: {other} is the app's: app.options({other}=...)(...)")
            # Disk space is Parsl's to ask for; here a task may use what there is.
            changes |= {key: value for key, value in given.items() if key != "disk"}
            if name == "parsl_resource_specification" and isinstance(given.get("memory"), int):
                changes["memory"] = given["memory"] * 10**6  # Parsl counts in MB
    return changes


def _revive(
    fn: Callable[..., Any],
    kind: Kind,
    options: Options,
    label: str,
    is_strict: bool,  # noqa: FBT001 - pickle gives it by position
    ignore: frozenset[str],
) -> AppFunction[..., Any]:
    return AppFunction(fn, kind, options, label=label, is_strict=is_strict, ignore=ignore)


def options_for(kind: Kind) -> Options:
    """Return the options that apps of a kind start from."""
    return LOCAL_OPTIONS if kind is Kind.JOIN else Options()
